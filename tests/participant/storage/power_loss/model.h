// What the transactions of the power-loss test do, and what a database must then hold.
#ifndef LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_MODEL_H_
#define LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_MODEL_H_

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/sqlite/connection.h"

namespace lockstep::participant {

// One change; each adds or toggles, so that applying it twice, or not at all, shows.
struct Action {
  enum class Kind : int { kAdd, kBlob, kTable, kIndex };
  Kind kind = Kind::kAdd;
  int key = 0;
  int amount = 0;
};

struct Model {
  std::map<int, int64_t> sums;     // kAdd: sums[key] += amount
  std::map<int, int64_t> blobs;    // kBlob: the length of blobs[key] becomes amount
  std::map<int, int64_t> tables;   // kTable: table extra<key> comes with `amount` in it, or goes
  std::map<int, int64_t> indexes;  // kIndex: index by<key> comes or goes

  void Apply(const Action& action);
  // The SQL that does the same to a database in this state.
  std::string Sql(const Action& action) const;
  std::string ToString() const;
  friend bool operator==(const Model&, const Model&) = default;
};

// One branch: all of it or nothing.
struct TestBranch {
  bool yes = true;
  std::vector<Action> actions;
};

inline constexpr char kModelSchema[] =
    "CREATE TABLE sums (k INTEGER PRIMARY KEY, v INTEGER NOT NULL);"
    "CREATE TABLE blobs (k INTEGER PRIMARY KEY, b BLOB)";

TestBranch RandomBranch(std::mt19937_64& random);

// A record's body: the branches, as numbers.
std::string EncodeBranches(const std::vector<TestBranch>& branches);
std::vector<TestBranch> DecodeBranches(std::string_view body);

// Reads a whole database back. Fails on anything that no model can be.
absl::StatusOr<Model> ReadModel(sqlite::Connection& connection);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_TESTS_PARTICIPANT_STORAGE_POWER_LOSS_MODEL_H_
