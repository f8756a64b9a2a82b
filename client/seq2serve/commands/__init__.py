"""The subcommands of `seq2serve`, one module each, and what they share."""
