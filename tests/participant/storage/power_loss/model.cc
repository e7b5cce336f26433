#include "tests/participant/storage/power_loss/model.h"

#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace lockstep::participant {
namespace {

constexpr int kKeys = 24;
constexpr int kObjects = 3;

void Toggle(std::map<int, int64_t>* objects, const Action& action) {
  if (objects->erase(action.key) == 0) (*objects)[action.key] = action.amount;
}

Action RandomAction(std::mt19937_64& random) {
  const int amount = static_cast<int>(random() % 1000) + 1;
  switch (random() % 16) {
    case 0:
      return {Action::Kind::kTable, static_cast<int>(random() % kObjects), amount};
    case 1:
      return {Action::Kind::kIndex, static_cast<int>(random() % kObjects), 0};
    case 2:
    case 3:
    case 4:
      return {Action::Kind::kBlob, static_cast<int>(random() % kKeys),
              amount * (random() % 8 == 0 ? 12 : 2)};
    default:
      return {Action::Kind::kAdd, static_cast<int>(random() % kKeys), amount};
  }
}

absl::Status ReadPairs(sqlite::Connection& connection, const std::string& sql,
                       std::map<int, int64_t>* out) {
  absl::StatusOr<sqlite::Statement> statement = connection.Prepare(sql);
  if (!statement.ok()) return statement.status();
  sqlite::StepResult step;
  while ((step = statement->Step()) == sqlite::StepResult::kRow) {
    (*out)[static_cast<int>(statement->ColumnInt(0))] = statement->ColumnInt(1);
  }
  return step == sqlite::StepResult::kDone ? absl::OkStatus() : statement->error().ToStatus(sql);
}

}  // namespace

void Model::Apply(const Action& action) {
  switch (action.kind) {
    case Action::Kind::kAdd:
      sums[action.key] += action.amount;
      return;
    case Action::Kind::kBlob:
      blobs[action.key] = action.amount;
      return;
    case Action::Kind::kTable:
      Toggle(&tables, action);
      return;
    case Action::Kind::kIndex:
      Toggle(&indexes, action);
      return;
  }
}

std::string Model::Sql(const Action& action) const {
  const int key = action.key;
  switch (action.kind) {
    case Action::Kind::kAdd:
      return absl::StrCat("INSERT INTO sums VALUES (", key, ", ", action.amount,
                          ") ON CONFLICT (k) DO UPDATE SET v = v + excluded.v");
    case Action::Kind::kBlob:
      return absl::StrCat("REPLACE INTO blobs VALUES (", key, ", zeroblob(", action.amount, "))");
    case Action::Kind::kTable:
      if (tables.contains(key)) return absl::StrCat("DROP TABLE extra", key);
      return absl::StrCat("CREATE TABLE extra", key, " (x); INSERT INTO extra", key, " VALUES (",
                          action.amount, ")");
    case Action::Kind::kIndex:
      if (indexes.contains(key)) return absl::StrCat("DROP INDEX by", key);
      return absl::StrCat("CREATE INDEX by", key, " ON sums (v)");
  }
  return "";
}

std::string Model::ToString() const {
  std::ostringstream out;
  for (const auto* map : {&sums, &blobs, &tables, &indexes}) {
    out << "{";
    for (const auto& [key, value] : *map) out << key << ":" << value << " ";
    out << "} ";
  }
  return out.str();
}

TestBranch RandomBranch(std::mt19937_64& random) {
  TestBranch branch;
  branch.yes = random() % 4 != 0;
  const int actions = 1 + static_cast<int>(random() % 3);
  for (int i = 0; i < actions; ++i) branch.actions.push_back(RandomAction(random));
  return branch;
}

std::string EncodeBranches(const std::vector<TestBranch>& branches) {
  std::string body = absl::StrCat(branches.size());
  for (const TestBranch& branch : branches) {
    absl::StrAppend(&body, " ", branch.yes ? 1 : 0, " ", branch.actions.size());
    for (const Action& action : branch.actions) {
      absl::StrAppend(&body, " ", static_cast<int>(action.kind), " ", action.key, " ",
                      action.amount);
    }
  }
  return body;
}

std::vector<TestBranch> DecodeBranches(std::string_view body) {
  std::istringstream in{std::string(body)};
  size_t count = 0;
  in >> count;
  std::vector<TestBranch> branches(count);
  for (TestBranch& branch : branches) {
    int yes = 0;
    size_t actions = 0;
    in >> yes >> actions;
    branch.yes = yes != 0;
    branch.actions.resize(actions);
    for (Action& action : branch.actions) {
      int kind = 0;
      in >> kind >> action.key >> action.amount;
      action.kind = static_cast<Action::Kind>(kind);
    }
  }
  LOCKSTEP_CHECK(!in.fail(), "a record's body is not what was written");
  return branches;
}

absl::StatusOr<Model> ReadModel(sqlite::Connection& connection) {
  Model model;
  absl::Status status = ReadPairs(connection, "SELECT k, v FROM sums", &model.sums);
  if (status.ok()) {
    status = ReadPairs(connection, "SELECT k, length(b) FROM blobs", &model.blobs);
  }
  if (status.ok()) {
    status =
        ReadPairs(connection, "SELECT substr(name, 3), 0 FROM sqlite_schema WHERE name GLOB 'by*'",
                  &model.indexes);
  }
  std::map<int, int64_t> names;
  if (status.ok()) {
    status =
        ReadPairs(connection,
                  "SELECT substr(name, 6), 0 FROM sqlite_schema WHERE name GLOB 'extra*'", &names);
  }
  for (const auto& [key, unused] : names) {
    if (!status.ok()) break;
    status =
        ReadPairs(connection, absl::StrCat("SELECT ", key, ", x FROM extra", key), &model.tables);
  }
  if (!status.ok()) return status;
  return model;
}

}  // namespace lockstep::participant
