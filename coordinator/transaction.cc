#include "coordinator/transaction.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "coordinator/prepare_encoder.h"

namespace lockstep::coordinator {
namespace {

Error UnknownDatabase(const std::string& database, int operation) {
  Error error;
  error.reason = Reason::kDatabaseUnknown;
  error.message = absl::StrCat("The cluster has no database ", database,
                               "; GetClusterStatus lists those that it has.");
  error.outcome = FailureOutcome::kNotStarted;
  error.database = database;
  error.operation = operation;
  return error;
}

// The operations of each database, in the order in which the databases are first named.
struct Grouped {
  DatabaseIndex database;
  std::vector<int> operations;
};

Result<std::vector<Grouped>> GroupByDatabase(const v1::ExecuteRequest& request,
                                             const Cluster& cluster) {
  std::vector<Grouped> groups;
  for (int i = 0; i < request.operations_size(); ++i) {
    const std::string& name = request.operations(i).database();
    const std::optional<DatabaseIndex> database = cluster.FindDatabase(name);
    if (!database) return UnknownDatabase(name, i);
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const Grouped& g) { return g.database == *database; });
    if (group == groups.end()) group = groups.insert(group, {*database, {}});
    group->operations.push_back(i);
  }
  return groups;
}

}  // namespace

Result<std::unique_ptr<Transaction>> MakeTransaction(const v1::ExecuteRequest& request,
                                                     const Cluster& cluster) {
  Result<std::vector<Grouped>> groups = GroupByDatabase(request, cluster);
  if (!groups.ok()) return std::move(groups).error();
  auto transaction = std::make_unique<Transaction>();
  for (const Grouped& group : *groups) {
    DatabaseShare share{group.database, EncodeOperations(request, group.operations)};
    const std::vector<ParticipantIndex>& replicas = cluster.database(group.database).replicas;
    transaction->bytes += share.operations.size() * replicas.size();
    transaction->participants.insert(transaction->participants.end(), replicas.begin(),
                                     replicas.end());
    transaction->shares.push_back(std::move(share));
  }
  transaction->response.mutable_results()->Reserve(request.operations_size());
  for (const v1::Operation& operation : request.operations()) {
    transaction->response.add_results()->set_database(operation.database());
  }
  return transaction;
}

}  // namespace lockstep::coordinator
