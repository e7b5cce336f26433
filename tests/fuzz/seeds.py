#!/usr/bin/env python3
"""Writes the seeds of tests/fuzz/corpus: python3 tests/fuzz/seeds.py [DIRECTORY]

What a fuzzer found is beside them, under a name that says what it was.
"""
import os
import sqlite3
import sys
import tempfile


def varint(number):
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes(encoded) + bytes([number])


def field(number, value):
    """A protobuf field: a number, or bytes and what is encoded to bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def fixed64(number, value):
    return varint(number << 3 | 1) + value.to_bytes(8, "little")


def statement(sql, *params, named=(), expect=b""):
    encoded = field(1, sql) + b"".join(field(2, param) for param in params)
    for name, value in named:
        encoded += field(3, field(1, name) + field(2, value))
    return encoded + (field(4, expect) if expect else b"")


INT, TEXT, NULL = field(1, 7), field(3, "seven"), b""
TRANSFER = (field(4, field(1, "bank") + field(2, statement("UPDATE a SET n = n - ?", INT)) +
                  field(2, statement("SELECT n FROM a WHERE k = ?", TEXT, NULL, expect=field(1, 1)))) +
            field(4, field(1, "stock") + field(2, statement("DELETE FROM s", named=[(":a", INT)]))) +
            field(4, field(1, "bank") + field(2, statement("SELECT 1", expect=field(2, 1) + field(3, 9)))))
TIME = field(1, 1_767_225_600) + field(2, 5)


def requests():
    yield "execute", b"\x07" + TRANSFER
    yield "execute_again", b"\x07" + field(1, "order-17") + field(2, 3) + field(3, TIME) + TRANSFER + field(5, field(1, 5))
    yield "execute_elsewhere", b"\x07" + field(4, field(1, "orders") + field(2, statement("SELECT 1")))
    yield "execute_empty", b"\x07" + field(4, field(1, "bank"))
    yield "query", b"\x00" + field(1, "bank") + field(2, "SELECT ?") + field(3, INT) + field(5, 9)
    yield "get_transaction", b"\x01" + field(2, "order-17") + field(3, 1)
    yield "get_table_version", b"\x02" + field(1, "bank") + field(2, "wallet")
    yield "participant_execute", b"\x03" + field(1, statement("SELECT 1"))
    yield "participant_query", b"\x04" + field(1, "SELECT 1")
    yield "read", b"\x05" + field(2, 1) + field(3, "SELECT 1")
    branch = field(1, "1-1") + field(2, TIME) + fixed64(3, 7) + field(4, field(1, 0) + field(2, statement("SELECT 1")))
    yield "round_record", b"\x06" + field(1, "demo") + field(2, "bank-1") + field(
        3, field(1, branch) + field(2, 1) + fixed64(3, 99)) * 2


def decision_records():
    record = (field(1, field(1, "bank-1")) + field(1, field(1, "stock-1") + field(2, 3)) +
              field(2, field(1, "1-1") + field(2, 0) + field(2, 1)) + field(2, field(1, "1-2") + field(2, 1)) +
              field(3, "bank") + field(3, "stock") + field(4, TIME) + field(5, TIME))
    # The reader takes numbers from the end of the bytes.
    yield "record", b"\x00" + record + bytes(12)
    yield "record_of_a_stranger", b"\x00" + field(1, field(1, "orders-1")) + record + bytes(12)
    yield "answers", b"\x00" + field(1, field(1, "request") + fixed64(2, 1) + fixed64(3, 2) + field(4, "x")) + bytes(12)
    yield "written", b"\x01" + bytes(range(1, 120))
    yield "written_answers", b"\x02" + bytes(range(1, 120))


COORDINATOR = """\
cluster_id: demo
data_dir: /var/lib/lockstep
listen: 127.0.0.1:7400
max_timeout: 1m30s
max_request_bytes: 4MiB
log_level: warning
cluster:
  - {node_id: bank-1, database: bank, role: MASTER, address: "127.0.0.1:7401"}
  - node_id: "b # 2"
    database: 'it''s'
    role: BACKUP
    address: "[::1]:7402"
"""
PARTICIPANT = """\
cluster_id: demo
node_id: bank-1
database: bank
data_dir: "C:\\\\a \\u00e9\\n"
role: BACKUP
standalone: yes
max_changed_bytes: 0x10
query_budget: 1.5s
"""


def configurations():
    yield "coordinator", b"\x00" + COORDINATOR.encode()
    yield "coordinator_flags", b"\x00" + COORDINATOR.encode() + (
        b"\0--listen=0.0.0.0:1\0--max-timeout\0" b"5s\0LOCKSTEP_CLUSTER_ID=other\0LOCKSTEP_CLUSTER=x")
    yield "participant", b"\x01" + PARTICIPANT.encode()
    yield "participant_flags", b"\x01\0--node-id=a\0--database=b\0--cluster-id=c\0--data-dir=/d\0--standalone"
    yield "yaml", b"\x00a: [1, {b: c}]\n---\n? x\n: |\n  text\n&a b: *a\n"


SCRIPTS = {
    "statements": "SELECT 1; INSERT INTO t VALUES('a;b', x'00', \"a\");;\nUPDATE t SET a = :v WHERE b IN (?1, $x)",
    "trigger": "CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM t; END; SELECT 2;",
    "explained_trigger": "EXPLAIN QUERY PLAN CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END; SELECT 3;",
    "comments": "-- a; b\n/* c; */ SELECT /**/ 1 -- end\n;/* open; ",
    "quotes": "SELECT [a;b], `c``;`, \"d\"\"\", 'e''' FROM t AS [x]; SELECT 0x1F, 1e5, .5, 1.e-3;",
    "table": "CREATE TABLE u(k INTEGER PRIMARY KEY, v TEXT DEFAULT (';')); WITH c(n) AS (SELECT 1) SELECT * FROM c, v;",
    "variables": "SELECT $a::b(c;d), @x, #y, :1; SELECT $a(b'c);",
}


def scripts():
    for name, sql in SCRIPTS.items():
        yield name, sql.encode()


def wals():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "seed")
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA page_size = 512")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t(a)")
        for number in range(2):
            database.execute("INSERT INTO t VALUES(?)", ("x" * 700 * number,))
        with open(path + "-wal", "rb") as file:
            wal = file.read()
        database.close()
    frame = 24 + 512
    yield "whole", b"\x00" + wal
    yield "torn", b"\x00" + wal[:-100]
    yield "damaged", b"\x00" + wal[:32 + 2 * frame + 30] + b"?" + wal[32 + 2 * frame + 31:]
    yield "prepared", b"\x47" + wal
    yield "prepared_with_rest", b"\x87" + wal + bytes(200)
    yield "prepared_later_term", b"\xc7" + wal[:32 + 3 * frame]
    yield "header", b"\x01" + wal[:32]


CORPORA = {"request": requests, "decision_record": decision_records, "config": configurations, "sql": scripts,
           "wal_scan": wals}


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "corpus")
    for corpus, seeds in CORPORA.items():
        os.makedirs(os.path.join(root, corpus), exist_ok=True)
        for name, content in seeds():
            with open(os.path.join(root, corpus, name), "wb") as file:
                file.write(content)


if __name__ == "__main__":
    main()
