#include "coordinator/member_table.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "coordinator/sqlite_rows.h"

namespace lockstep::coordinator {
namespace {

using Replicas = std::map<std::string, MemberRole>;  // by node id

const char* RoleName(MemberRole role) { return role == MemberRole::kMaster ? "MASTER" : "BACKUP"; }

std::string Describe(const Replicas& replicas) {
  if (replicas.empty()) return "no nodes";
  std::string text;
  for (const auto& [node_id, role] : replicas) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", node_id, " (", RoleName(role), ")");
  }
  return text;
}

}  // namespace

absl::StatusOr<std::vector<RecordedMember>> ReadMembers(sqlite::Connection* connection) {
  absl::StatusOr<sqlite::Statement> select = connection->Prepare(
      "SELECT node_id, database, role, durable_round FROM member ORDER BY place");
  if (!select.ok()) return select.status();
  std::vector<RecordedMember> members;
  const absl::Status status = ForEachRow(*select, [&] {
    members.push_back({.member = {.node_id = Text(*select, 0),
                                  .database = Text(*select, 1),
                                  .role = static_cast<MemberRole>(select->ColumnInt(2))},
                       .durable = Round(*select, 3)});
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return members;
}

absl::Status CheckMembershipChange(const std::vector<RecordedMember>& recorded,
                                   const std::vector<Member>& wanted,
                                   const std::set<std::string>& nodes_with_decisions) {
  std::map<std::string, Replicas> before;
  std::map<std::string, Replicas> after;
  std::set<std::string> used;
  for (const RecordedMember& old : recorded) {
    before[old.member.database][old.member.node_id] = old.member.role;
    if (!old.durable.is_none() || nodes_with_decisions.contains(old.member.node_id)) {
      used.insert(old.member.database);
    }
  }
  for (const Member& member : wanted) after[member.database][member.node_id] = member.role;
  for (const std::string& database : used) {
    if (before[database] == after[database]) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "the replicas of database ", database, " cannot change, because it has transactions: the ",
        "decision log records ", Describe(before[database]), ", and the configuration names ",
        Describe(after[database])));
  }
  return absl::OkStatus();
}

absl::Status ReplaceMembers(sqlite::Connection* connection,
                            const std::vector<RecordedMember>& recorded,
                            const std::vector<Member>& wanted) {
  std::map<std::string, RoundId> durable;
  for (const RecordedMember& old : recorded) durable[old.member.node_id] = old.durable;
  absl::StatusOr<sqlite::Statement> insert =
      connection->Prepare("INSERT INTO member VALUES(?, ?, ?, ?, ?)");
  if (!insert.ok()) return insert.status();
  absl::Status status = connection->Exec("DELETE FROM member");
  for (size_t i = 0; status.ok() && i < wanted.size(); ++i) {
    status = RunWith(*insert, static_cast<int64_t>(i), wanted[i].node_id, wanted[i].database,
                     static_cast<int64_t>(wanted[i].role), durable[wanted[i].node_id].value());
  }
  return status;
}

}  // namespace lockstep::coordinator
