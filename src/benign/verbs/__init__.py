"""The verbs that choose: `analyze`, `certify`, `read`."""
