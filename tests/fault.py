"""What makes `tests.faulty_server` fail; here, since importing that brings descriptors that tritonclient has, too."""

FAULT = "break here"
