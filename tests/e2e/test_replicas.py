"""Replicas come, go, are replaced and die under load, and no call is lost; the balancer spreads single calls."""

from concurrent.futures import ThreadPoolExecutor

from seq2serve import Client
from tests.compose_stack import ComposeStack
from tests.e2e.counts import handled
from tests.e2e.load import TEXTS, Load, caller_without_retries, channel_without_retries
from tests.eventually import eventually

CALLS, IN_FLIGHT = 1000, 8
BACK_SECONDS = 60  # only bounds a failure


def test_scaling_loses_no_call(stack: ComposeStack) -> None:
    """From one replica to three and to two, without a retry."""
    with channel_without_retries(stack.address) as channel:
        stack.scale(1)
        with Load(caller_without_retries(channel)) as load:
            stack.scale(3, "--no-recreate")
            load.more(100)
            spread = handled(stack)
            stack.scale(2, "--no-recreate")
            load.more(100)
    assert load.failures == []
    assert len(spread) == 3
    assert all(spread.values())


def test_one_channel_is_spread_over_all(stack: ComposeStack) -> None:
    """Each of three replicas gets a third of the calls of one connection, give or take a fifth."""
    stack.scale(3)
    before = handled(stack)
    with channel_without_retries(stack.address) as channel, ThreadPoolExecutor(IN_FLIGHT) as pool:
        call = caller_without_retries(channel)
        list(pool.map(call, (TEXTS[number % len(TEXTS)] for number in range(CALLS))))
    shares = {replica: count - before[replica] for replica, count in handled(stack).items()}
    assert sum(shares.values()) == CALLS
    assert all(0.8 < share / (CALLS / 3) < 1.2 for share in shares.values()), shares


def test_a_replica_that_is_stopped_finishes_first(stack: ComposeStack) -> None:
    """`docker stop`, and the balancer has looked away before the replica goes."""
    stack.scale(3)
    with channel_without_retries(stack.address) as channel, Load(caller_without_retries(channel)) as load:
        leaving = stack.ids()[0]
        stack.docker("stop", leaving)
        load.more(100)
    assert load.failures == []
    assert stack.inspect(leaving)["State"]["ExitCode"] == 0


def test_a_killed_replica_costs_a_client_that_retries_no_call(stack: ComposeStack) -> None:
    """The process dies in the midst of calls; Docker starts it again, and it gets calls again."""
    stack.scale(3)
    killed = stack.ids()[1]
    process = stack.inspect(killed)["State"]["Pid"]
    with Client(stack.address, timeout=60) as client, Load(client.translate) as load:
        stack.run("kill", "-9", str(process))
        load.more(100)
        assert eventually(lambda: stack.inspect(killed)["State"]["Pid"] not in (0, process), BACK_SECONDS)
        assert eventually(lambda: stack.balanced() == 3, BACK_SECONDS)
        assert eventually(lambda: handled(stack)[killed] > 0, BACK_SECONDS)
    assert load.failures == []
    assert stack.inspect(killed)["RestartCount"] == 1


def test_reloading_the_balancer_loses_no_call(stack: ComposeStack) -> None:
    """It reads its file again, and the process before it finishes what it has."""
    stack.scale(3)
    with Client(stack.address, timeout=60) as client, Load(client.translate) as load:
        for _ in range(3):
            stack.docker("compose", "kill", "--signal", "USR2", "loadbalancer")
            load.more(100)
    assert load.failures == []


def test_rolling_loses_no_call(stack: ComposeStack) -> None:
    """`make roll` puts replicas of a new image in the place of all, also of one that was stopped by hand."""
    stack.scale(3)
    before = stack.ids()
    stack.docker("stop", before.pop())
    stack.build("--label", "rolled=yes")
    with channel_without_retries(stack.address) as channel, Load(caller_without_retries(channel)) as load:
        stack.run("make", "roll")
        load.more(100)
    assert load.failures == []
    now = stack.ids()
    assert len(now) == len(before)
    assert not set(now) & set(before)
    assert all(stack.inspect(replica)["Config"]["Labels"].get("rolled") == "yes" for replica in now)


def test_rolling_to_what_does_not_start_changes_nothing(stack: ComposeStack) -> None:
    """An image whose server ends at once never gets a call, and the old replicas go on."""
    stack.scale(2, "--no-recreate")
    before = stack.ids()
    tagged = stack.docker("image", "inspect", "--format", "{{.Id}}", stack.image)
    stack.run("bash", "-c", f"printf 'FROM {stack.image}\\nCMD [\"false\"]\\n' | docker build -q -t {stack.image} -")
    with channel_without_retries(stack.address) as channel, Load(caller_without_retries(channel)) as load:
        failed = stack.run("bash", "-c", "ROLL_SECONDS=30 make roll 2>&1 || true")
        load.more(50)
    stack.docker("tag", tagged, stack.image)
    assert "the new replicas did not become healthy" in failed
    assert load.failures == []
    assert stack.ids() == before
