#!/bin/sh
# Every figure and test of a GPU with one command:
#
#   benchmarks/gpu.sh FILE [ARGS of benchmarks.gpu]
#
# FILE has source<TAB>target lines. It needs this repository's environment with onnxruntime-gpu, and torch with CUDA for
# the comparison with eager mode (PYTHON names the interpreter). Where onnxruntime-gpu lies in a folder of its own, that
# and `client` are in PYTHONPATH, and the folders of CUDA's libraries (those of torch's wheels, nvidia/*/lib) in
# LD_LIBRARY_PATH. What CUDA lacks is said by the doctor, first of all; each part runs whatever became of the others.
set -u
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
file=${1:?benchmarks/gpu.sh FILE: name a file of source<TAB>target lines}
shift
status=0
"$python" -m service doctor --device cuda || status=1
"$python" -m pytest -m gpu tests || status=1
"$python" -m benchmarks.gpu "$file" "$@" || status=1
exit "$status"
