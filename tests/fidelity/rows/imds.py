"""The instance metadata service, asked from inside of an instance through Systems Manager."""

from __future__ import annotations

import json
from time import sleep
from typing import Any

from tests.fidelity.iam_things import once
from tests.fidelity.table import Row, Story, World

GUIDE = "EC2 User Guide, Use the Instance Metadata Service to access instance metadata"
SCRIPT = """\
imds=http://169.254.169.254/latest
ask() { curl -s --noproxy '*' "$@"; }
code() { ask -o /dev/null -w '%{http_code}' "$@"; }
ttl='X-aws-ec2-metadata-token-ttl-seconds'
token=$(ask -X PUT "$imds/api/token" -H "$ttl: 60")
with="X-aws-ec2-metadata-token: $token"
meta="$imds/meta-data"
role=$(ask -H "$with" "$meta/iam/security-credentials/")
echo "{"
echo "\\"without\\": $(code "$meta/instance-id"),"
echo "\\"wrong\\": $(code -H 'X-aws-ec2-metadata-token: nonsense' "$meta/instance-id"),"
echo "\\"no_ttl\\": $(code -X PUT "$imds/api/token"),"
echo "\\"long_ttl\\": $(code -X PUT -H "$ttl: 21601" "$imds/api/token"),"
echo "\\"proxied\\": $(code -X PUT -H "$ttl: 60" -H 'X-Forwarded-For: 1.2.3.4' "$imds/api/token"),"
echo "\\"no_spot\\": $(code -H "$with" "$meta/spot/instance-action"),"
echo "\\"no_rebalance\\": $(code -H "$with" "$meta/events/recommendations/rebalance"),"
echo "\\"no_tags\\": $(code -H "$with" "$meta/tags/instance/"),"
echo "\\"nonsense\\": $(code -H "$with" "$meta/nonsense"),"
echo "\\"id\\": \\"$(ask -H "$with" "$meta/instance-id")\\","
echo "\\"type\\": \\"$(ask -H "$with" "$meta/instance-type")\\","
echo "\\"region\\": \\"$(ask -H "$with" "$meta/placement/region")\\","
echo "\\"life_cycle\\": \\"$(ask -H "$with" "$meta/instance-life-cycle")\\","
echo "\\"document\\": $(ask -H "$with" "$imds/dynamic/instance-identity/document"),"
echo "\\"info\\": $(ask -H "$with" "$meta/iam/info"),"
echo "\\"credentials\\": $(ask -H "$with" "$meta/iam/security-credentials/$role" |
    grep -v -e Secret -e '"Token"')"
echo "}"
"""


@once
def told(world: World) -> Any:
    """Return what the metadata service answers inside the instance."""
    ssm = world.client("ssm")
    sent = ssm.send_command(
        InstanceIds=[world.instance],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": [SCRIPT]},
    )
    where = {"CommandId": sent["Command"]["CommandId"], "InstanceId": world.instance}
    found: Any = {"Status": "Pending"}
    for _ in range(120):
        sleep(0.5)
        found = ssm.get_command_invocation(**where)
        if found["Status"] not in ("Pending", "InProgress", "Delayed"):
            break
    assert found["Status"] == "Success", found
    return json.loads(found["StandardOutputContent"])


def _answers(says: str, **wanted: object) -> Story:
    def play(world: World) -> None:
        answer = told(world)
        assert {name: answer[name] for name in wanted} == wanted

    return Story(says, play, GUIDE)


def identity(world: World) -> None:
    answer = told(world)
    assert answer["id"] == world.instance
    assert (answer["type"], answer["region"]) == ("t3.micro", world.region)
    document = answer["document"]
    assert document["instanceId"] == world.instance
    assert (document["accountId"], document["region"]) == (world.account, world.region)


def credentials(world: World) -> None:
    answer = told(world)
    assert answer["info"]["Code"] == answer["credentials"]["Code"] == "Success"
    assert answer["info"]["InstanceProfileArn"].endswith(f"/{world.profile}")
    assert answer["credentials"]["AccessKeyId"].startswith("ASIA")
    assert answer["credentials"]["Type"] == "AWS-HMAC"
    assert answer["credentials"]["Expiration"] > answer["credentials"]["LastUpdated"]


ROWS: list[Row] = []
STORIES = [
    _answers("metadata needs a token where one is required", without=401, wrong=401),
    _answers("a token needs a lifetime of 21,600 seconds at most", no_ttl=400, long_ttl=400),
    _answers("a token is not given through a proxy", proxied=403),
    _answers("metadata that is not there is not found", nonsense=404, no_tags=404),
    _answers("an instance without a notice finds none", no_spot=404, no_rebalance=404),
    _answers("an instance on demand says so", life_cycle="on-demand"),
    Story("an instance finds out who it is", identity, GUIDE),
    Story("an instance finds the credentials of its role", credentials, GUIDE),
]
