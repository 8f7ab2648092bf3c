#!/bin/sh
# Deploys or destroys an environment: the persistent resources with Terraform, then the functions with SAM.
#
#   infra/deploy.sh deploy ENV
#   infra/deploy.sh destroy ENV     requires the name of the environment as confirmation
#
# Credentials and AWS_REGION are taken from the environment variables, as by terraform and sam. docs/deploy.md describes the
# first deployment.
set -eu
cd "$(dirname "$0")/.."

fail() { echo "deploy: $*" >&2; exit 1; }

action=${1:-} environment=${2:-}
folder=infra/terraform/environments/$environment
[ -n "$environment" ] && [ -d "$folder" ] || fail "unknown environment: ENV must be one of $(ls infra/terraform/environments | tr '\n' ' ')"
# STATE_BUCKET replaces the bucket in backend.hcl, which workflows cannot edit.
[ -n "${STATE_BUCKET:-}" ] || ! grep -q '<account id>' "$folder/backend.hcl" || fail "put the name of the state bucket into $folder/backend.hcl (infra/terraform/README.md)"
grep -q "^\[$environment.deploy.parameters\]" samconfig.toml || fail "samconfig.toml has no section $environment"
for tool in terraform aws; do command -v "$tool" >/dev/null 2>&1 || fail "$tool is not installed"; done
[ -n "${AWS_REGION:-}" ] || fail "AWS_REGION is not set"

infra/local/setup.sh --dev
terraform_init() {
  terraform -chdir=infra/terraform init -reconfigure -backend-config="environments/$environment/backend.hcl" \
    ${STATE_BUCKET:+-backend-config="bucket=$STATE_BUCKET"}
}
values="-var-file=environments/$environment/terraform.tfvars"
sam="env SAM_CLI_TELEMETRY=0 .venv/bin/sam"

case $action in
  deploy)
    terraform_init
    terraform -chdir=infra/terraform apply "$values"
    # The default architecture of the template, unless samconfig.toml sets another.
    architecture=$(sed -n "/^\[$environment.deploy.parameters\]/,/^\[/s/^ *\"Architecture=\([a-z0-9_]*\)\".*/\1/p" samconfig.toml)
    infra/sam-build.sh "${architecture:-arm64}"
    $sam deploy --config-env "$environment"
    ;;
  destroy)
    printf 'This deletes everything in %s. Enter its name to confirm: ' "$environment"
    read -r answer
    [ "$answer" = "$environment" ] || fail "nothing was deleted"
    $sam delete --config-env "$environment" --no-prompts
    # The stack retains its queues, because they may have messages. The next deployment could not create them again.
    for queue in $(sed -n 's/^ *QueueName: !Sub penstock-${Environment}-//p' template.yaml); do
      url=$(aws sqs get-queue-url --queue-name "penstock-$environment-$queue" --query QueueUrl --output text 2>/dev/null) || continue
      aws sqs delete-queue --queue-url "$url"
    done
    terraform_init
    terraform -chdir=infra/terraform destroy "$values"
    ;;
  *) fail "the action must be deploy or destroy" ;;
esac
