import { assertEquals, assertThrows } from "@std/assert";
import { Connection } from "../../examples/blog/connection.ts";

function withTable(body: (connection: Connection) => void): void {
  using connection = new Connection(":memory:");
  connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)");
  body(connection);
}

Deno.test("Connection of the blog gives rows, one row or null, and refuses several as one", () =>
  withTable((connection) => {
    assertEquals(connection.execute("INSERT INTO t (name) VALUES (?)", "a"), 1);
    assertEquals(connection.executeLastrowid("INSERT INTO t (name) VALUES (?)", "b"), 2);
    const rows = [{ id: 1, name: "a" }, { id: 2, name: "b" }];
    assertEquals(connection.query("SELECT * FROM t ORDER BY id"), rows);
    assertEquals([...connection.iter("SELECT * FROM t WHERE id > ? ORDER BY id", 0)], rows);
    assertEquals(connection.get("SELECT * FROM t WHERE id = ?", 2), rows[1]);
    assertEquals(connection.get("SELECT * FROM t WHERE id = ?", 3), null);
    assertThrows(() => connection.get("SELECT * FROM t"), Error, "the query has 2");
    assertEquals(connection.executeRowcount("UPDATE t SET name = name || '!'"), 2);
  }));

Deno.test("Connection of the blog makes many changes or none", () =>
  withTable((connection) => {
    const sql = "INSERT INTO t (name) VALUES (?)";
    assertEquals(connection.executemany(sql, [["a"], ["b"]]), 2);
    assertEquals(connection.executemanyLastrowid(sql, [["c"]]), 3);
    assertEquals(connection.executemanyRowcount(sql, [["d"], ["e"], ["f"]]), 3);
    assertThrows(() => connection.executemany(sql, [["g"], ["a"]]), Error, "UNIQUE");
    assertEquals(connection.get("SELECT count(*) AS count FROM t"), { count: 6 });
  }));

Deno.test("Connection of the blog can be opened anew, and says that it is closed", () => {
  const connection = new Connection(":memory:");
  connection.execute("CREATE TABLE t (id INTEGER)");
  connection.reconnect();
  assertThrows(() => connection.query("SELECT * FROM t"), Error, "no such table");
  connection.close();
  connection.close();
  assertThrows(() => connection.query("SELECT 1"), Error, "it is closed");
});
