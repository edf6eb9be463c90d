"""Commands run inside, and how they went is known, whatever becomes of who asked."""

from __future__ import annotations

import signal

from runctl.localcloud.machines.machine import CommandRequest
from runctl.localcloud.machines.probe import make_tier
from runctl.localcloud.machines.results import Feature
from tests.localcloud.machines.workplace import Workplace


def test_a_command_leaves_its_output_and_its_exit_status(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    done = anywhere.run(machine, "/bin/sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.status.state, done.status.exit_status) == ("ended", 7)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert done.status.ended is not None
    assert done.status.ended >= done.status.started


def test_the_signal_that_ended_a_command_is_told_from_an_exit(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    done = anywhere.run(machine, "/bin/sh", "-c", "kill -TERM $$")
    assert (done.status.exit_status, done.status.signal) == (None, signal.SIGTERM)


def test_a_command_that_is_not_there_ends_with_127(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    done = anywhere.run(machine, "no-such-program")
    assert done.status.exit_status == 127
    assert "no-such-program" in done.stderr


def test_a_command_is_killed_with_its_children_when_its_time_is_up(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    script = "sleep 600 & echo begun; wait"
    done = anywhere.run(machine, "/bin/sh", "-c", script, timeout_s=0.3)
    assert (done.status.timed_out, done.status.signal) == (True, signal.SIGKILL)
    assert done.stdout == "begun\n"


def test_the_time_is_up_also_for_what_a_command_left_behind(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    done = anywhere.run(machine, "/bin/sh", "-c", "sleep 600 & exit 0", timeout_s=0.3)
    assert done.status.timed_out


def test_a_command_ends_when_nothing_holds_its_streams(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    held = anywhere.run(machine, "/bin/sh", "-c", "(sleep 0.4; echo late) & echo early")
    assert held.stdout == "early\nlate\n"
    let_go = anywhere.run(machine, "/bin/sh", "-c", "sleep 600 >/dev/null 2>&1 & echo gone")
    assert (let_go.stdout, let_go.status.timed_out) == ("gone\n", False)


def test_a_command_can_be_cancelled(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    name = anywhere.start(machine, "/bin/sh", "-c", "sleep 600")
    assert machine.signal(name)
    done = anywhere.finish(machine, name)
    assert (done.status.cancelled, done.status.signal) == (True, signal.SIGKILL)
    assert not machine.signal(name)


def test_the_same_id_is_run_once(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    request = CommandRequest(id="once", argv=("/bin/sh", "-c", "echo x >> ~/count; cat ~/count"))
    machine.exec(request)
    first = anywhere.finish(machine, "once")
    assert machine.exec(request) == first.status
    assert anywhere.sh(machine, "cat ~/count") == "x\n"


def test_a_command_gets_its_input_and_its_environment(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    done = anywhere.run(
        machine, "/bin/sh", "-c", "cat; echo $A $AWS_ENDPOINT_URL; pwd",
        stdin="given é\n", environment={"A": "b c"}, cwd="/usr",
    )  # fmt: skip
    host = "127.0.0.1" if Feature.OWN_NETWORK in anywhere.report.features else machine.address
    assert done.stdout == f"given é\nb c http://{host}:4566\n/usr\n"


def test_output_beyond_the_limit_is_dropped_and_holds_nothing_up(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    script = "head -c 3000000 /dev/zero; echo end >&2"
    done = anywhere.run(machine, "/bin/sh", "-c", script, stdout_limit_bytes=1000)
    assert (done.status.exit_status, len(done.stdout), done.stderr) == (0, 1000, "end\n")


def test_each_user_has_a_home_and_a_name(anywhere: Workplace) -> None:
    machine = anywhere.launch(login="ubuntu")
    script = 'echo "$USER"; cd; touch here && test "$HOME" = "$(pwd -P)" && basename "$HOME"'
    assert anywhere.sh(machine, script, user="ubuntu") == "ubuntu\nubuntu\n"
    assert anywhere.sh(machine, script) == "root\nroot\n"


def test_a_command_goes_on_though_the_cloud_forgets_it(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    name = anywhere.start(machine, "/bin/sh", "-c", "sleep 0.5; echo done")
    anywhere.tier.close()
    again = make_tier(anywhere.report, anywhere.cloud)
    found = again.find(machine.id)
    assert found is not None
    assert anywhere.finish(found, name).stdout == "done\n"
    assert name in found.commands()
    again.close()


def test_the_end_of_a_command_is_told(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    name = anywhere.start(machine, "/bin/true")
    told = lambda: any(one.command_id == name for one in anywhere.events)  # noqa: E731
    anywhere.until(told, "an event tells of the command's end")


def test_root_and_the_login_user_become_each_other(anywhere: Workplace) -> None:
    anywhere.need(Feature.SUDO, Feature.OWN_FILES)
    machine = anywhere.launch()
    assert anywhere.sh(machine, "sudo -n id -u", user="ec2-user") == "0\n"
    down = "sudo -n -u ec2-user -H sh -c 'echo $(id -u) $HOME $USER'"
    assert anywhere.sh(machine, down) == "1000 /home/ec2-user ec2-user\n"
    assert anywhere.sh(machine, "runuser -u ec2-user -- id -un") == "ec2-user\n"
    assert anywhere.sh(machine, "su - ec2-user -c 'id -u; pwd'") == "1000\n/home/ec2-user\n"
    assert (
        anywhere.sh(machine, "setpriv --reuid 1000 --regid 1000 --clear-groups id -u") == "1000\n"
    )
    seen = anywhere.sh(machine, "sudo env | grep AWS_ENDPOINT_URL", user="ec2-user")
    assert ":4566" in seen


def test_what_one_user_may_not_read_another_cannot(anywhere: Workplace) -> None:
    anywhere.need(Feature.USERS)
    machine = anywhere.launch()
    anywhere.sh(machine, "umask 077; echo secret > /root/secret")
    done = anywhere.run(machine, "cat", "/root/secret", user="ec2-user")
    assert done.status.exit_status == 1
