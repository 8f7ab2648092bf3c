#!/bin/sh
# Downloads the typings of Terraform's AWS provider into .tools, unless they exist. They are generated from the provider's
# schema and are available where the provider is not. tests/infra/test_terraform.py reads them.
set -eu
cd "$(dirname "$0")/../.."

package=@cdktf/provider-aws
version=21.22.1 # of provider 6.25
folder=.tools/provider-aws-$version

if [ -d "$folder" ]; then exit 0; fi
if ! command -v npm >/dev/null 2>&1; then
  echo "npm is not installed: Terraform's attributes will not be checked" >&2
  exit 0
fi
fetched=$(mktemp -d)
trap 'rm -rf "$fetched"' EXIT
echo "downloading the typings of Terraform's AWS provider into $folder"
if ! npm pack --silent --pack-destination "$fetched" "$package@$version" >/dev/null; then
  echo "npm could not download $package: Terraform's attributes will not be checked" >&2
  exit 0
fi
mkdir -p "$folder.new"
# All of them, because a missing file means that the type does not exist.
(cd "$folder.new" && tar -xzf "$fetched"/*.tgz --strip-components=2 $(tar -tzf "$fetched"/*.tgz | grep '^package/lib/[^/]*/index\.d\.ts$'))
mv "$folder.new" "$folder"
