"""What the core asks of a store, one narrow Protocol per consumer.

Every method that changes anything is one transaction, with its audit row in it. A store that cannot take a
change raises `Unavailable` and has stored nothing. Times are aware datetimes in UTC.
"""
