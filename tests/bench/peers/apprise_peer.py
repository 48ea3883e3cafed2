"""`python apprise_peer.py JOB`: one notification to many JSON targets through Apprise, several times.

JOB is JSON: urls, numbers (one notification each, the first a warm-up), gap (seconds between them). Prints
{"began": {number: seconds of time.monotonic}}.
"""

import json
import sys
import time

import apprise


def main() -> None:
    job = json.loads(sys.argv[1])
    everyone = apprise.Apprise()
    for url in job["urls"]:
        assert everyone.add(url.replace("http://", "json://")), url
    began: dict[int, float] = {}
    for number in job["numbers"]:
        began[number] = time.monotonic()
        assert everyone.notify(title="Allerta", body=f"Allerta N{number:06}N")
        time.sleep(job["gap"])
    print(json.dumps({"began": began}))


main()
