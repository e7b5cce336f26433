#include "bench/raw.h"

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/statement.h"
#include "common/value.h"

namespace lockstep::bench {
namespace {

constexpr int kRowBytes = 100;

// A new database as a careful user of plain SQLite sets it up.
absl::StatusOr<std::unique_ptr<sqlite::Connection>> OpenFresh(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix);
  absl::StatusOr<std::unique_ptr<sqlite::Connection>> connection =
      sqlite::Connection::Open(path, sqlite::OpenOptions{});
  if (!connection.ok()) return connection;
  for (const char* sql : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
                          "CREATE TABLE load(id INTEGER PRIMARY KEY, payload BLOB NOT NULL)"}) {
    if (absl::Status status = (*connection)->Exec(sql); !status.ok()) return status;
  }
  return connection;
}

}  // namespace

absl::StatusOr<Samples> RunRaw(const std::string& directory, absl::Duration duration) {
  auto connection = OpenFresh(directory + "/raw.db");
  if (!connection.ok()) return connection.status();
  auto insert = (*connection)->Prepare("INSERT INTO load(payload) VALUES (?)");
  if (!insert.ok()) return insert.status();
  const Value payload = Blob{std::string(kRowBytes, 'x')};
  Samples samples;
  const absl::Time start = absl::Now();
  const absl::Time end = start + duration;
  absl::Time now = start;
  while (now < end) {
    if (insert->BindStatic(1, payload) != sqlite::kOk) return insert->error().ToStatus();
    if (absl::Status status = insert->Run(); !status.ok()) return status;
    const absl::Time done = absl::Now();
    samples.latencies.push_back(done - now);
    now = done;
  }
  samples.elapsed = now - start;
  return samples;
}

}  // namespace lockstep::bench
