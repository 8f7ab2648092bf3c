# The bucket is made once, before anything else: README.md. Put the account's number in.
bucket = "penstock-terraform-state-<account id>"
key    = "penstock/prod/terraform.tfstate"
region = "eu-central-1"
