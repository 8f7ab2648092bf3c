#!/bin/sh
# Deploys or destroys an environment: Terraform for what outlives a deploy, then SAM for the functions.
#
#   infra/deploy.sh deploy ENV
#   infra/deploy.sh destroy ENV     asks for the environment's name before it deletes anything
#
# Credentials and AWS_REGION come from the surroundings, as for terraform and sam. docs/deploy.md has the first time.
set -eu
cd "$(dirname "$0")/.."

fail() { echo "deploy: $*" >&2; exit 1; }

action=${1:-} environment=${2:-}
folder=infra/terraform/environments/$environment
[ -n "$environment" ] && [ -d "$folder" ] || fail "no such environment: ENV is one of $(ls infra/terraform/environments | tr '\n' ' ')"
# STATE_BUCKET stands for the one in backend.hcl, which workflows cannot fill in.
[ -n "${STATE_BUCKET:-}" ] || ! grep -q '<account id>' "$folder/backend.hcl" || fail "put the state bucket's name into $folder/backend.hcl (infra/terraform/README.md)"
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
    # The template's own architecture, unless samconfig.toml says another.
    architecture=$(sed -n "/^\[$environment.deploy.parameters\]/,/^\[/s/^ *\"Architecture=\([a-z0-9_]*\)\".*/\1/p" samconfig.toml)
    infra/sam-build.sh "${architecture:-arm64}"
    $sam deploy --config-env "$environment"
    ;;
  destroy)
    printf 'This deletes all of %s. Its name, to go on: ' "$environment"
    read -r answer
    [ "$answer" = "$environment" ] || fail "nothing was deleted"
    $sam delete --config-env "$environment" --no-prompts
    # The stack leaves its queues behind, as they may hold work; their names would be in the way of the next deploy.
    for queue in $(sed -n 's/^ *QueueName: !Sub penstock-${Environment}-//p' template.yaml); do
      url=$(aws sqs get-queue-url --queue-name "penstock-$environment-$queue" --query QueueUrl --output text 2>/dev/null) || continue
      aws sqs delete-queue --queue-url "$url"
    done
    terraform_init
    terraform -chdir=infra/terraform destroy "$values"
    ;;
  *) fail "deploy or destroy?" ;;
esac
