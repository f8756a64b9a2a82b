"""Runs the `seq2serve` command as `python -m seq2serve`."""

import sys

from seq2serve.command import main

sys.exit(main())
