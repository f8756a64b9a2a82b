"""What makes `tests.faulty_server` fail; here, since importing that brings descriptors that clash with tritonclient's."""

FAULT = "break here"
