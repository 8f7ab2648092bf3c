# Create the bucket first (README.md) and replace <account id>.
bucket = "penstock-terraform-state-<account id>"
key    = "penstock/dev/terraform.tfstate"
region = "eu-central-1"
