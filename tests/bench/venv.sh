# Sourced from the repository's root: creates `.venv-bench` with the programs to compare with, and sets `venv`.
venv=.venv-bench
if [ ! -x $venv/bin/python ]; then "${PYTHON:-python3}" -m venv $venv; fi
if ! cmp -s tests/bench/requirements.txt $venv/.installed; then
  $venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/bench/requirements.txt
  cp tests/bench/requirements.txt $venv/.installed
fi
