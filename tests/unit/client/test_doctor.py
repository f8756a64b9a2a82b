"""What the client's doctor is given on the command line; tests/integration/test_doctor.py has what it finds."""

import pytest

from seq2serve.doctor.finding import Level
from seq2serve.doctor.prometheus import check_prometheus


def test_a_port_of_grpc_is_no_prometheus(server) -> None:
    (finding,) = check_prometheus(f"http://{server.address}", None, 10)
    assert finding.level is Level.FAULT
    assert "does not answer as Prometheus does" in finding.found
    assert "http://127.0.0.1:9090" in finding.fix


@pytest.mark.parametrize("flag", ["--calls", "--replicas"])
def test_nothing_is_no_number_to_look_for(run, capsys, flag: str) -> None:
    with pytest.raises(SystemExit):
        run("doctor", flag, "0")
    assert f"argument {flag}: 0 is less than 1" in capsys.readouterr().err
