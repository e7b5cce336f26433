#include "tests/cluster/list_workload.h"

#include <gtest/gtest.h>

#include <chrono>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/cluster/bank_workload.h"

namespace lockstep::testing_support {
namespace {

constexpr int64_t kListsInUse = 3;      // in each database
constexpr int64_t kElementsEach = 100;  // then a list is left for a new one
constexpr int kMostTries = 12;
constexpr size_t kListsKept = 600;
constexpr int kAuditor = -1;  // instead of a client
// Short, so that what is stuck in a partition becomes unknown, and is tried again.
constexpr absl::Duration kTimeout = absl::Seconds(2);
constexpr absl::Duration kCallTimeout = absl::Seconds(3);
constexpr char kReadList[] = "SELECT value FROM element WHERE list = ? ORDER BY id";

int64_t SteadyNow() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

// A list is named DATABASE/NUMBER.
std::string DatabaseOf(const std::string& list) { return list.substr(0, list.find('/')); }

int64_t NumberOf(const std::string& list) {
  int64_t number = 0;
  EXPECT_TRUE(absl::SimpleAtoi(list.substr(list.find('/') + 1), &number)) << list;
  return number;
}

template <typename Rows>
std::vector<int64_t> ElementsOf(const Rows& rows) {
  std::vector<int64_t> elements;
  for (const v1::Row& row : rows) elements.push_back(row.values(0).int_value());
  return elements;
}

// An operation for each step, so that results are found by its place.
v1::ExecuteRequest RequestOf(const ListTransaction& transaction, const std::string& request_id) {
  v1::ExecuteRequest request;
  request.set_request_id(request_id);
  for (const ListStep& step : transaction.steps) {
    v1::Operation* operation = request.add_operations();
    operation->set_database(DatabaseOf(step.list));
    v1::Statement* statement = operation->add_statements();
    statement->add_params()->set_int_value(NumberOf(step.list));
    if (step.kind == ListStep::Kind::kAppend) {
      statement->set_sql("INSERT INTO element(list, value) VALUES (?, ?)");
      statement->add_params()->set_int_value(step.element);
      statement->mutable_expect()->set_rows(1);
    } else {
      statement->set_sql(kReadList);
    }
  }
  request.mutable_timeout()->set_seconds(absl::ToInt64Seconds(kTimeout));
  return request;
}

// A guard that fails behind everything else: all of it has to vanish.
void AddFailingGuard(const std::string& database, v1::ExecuteRequest* request) {
  v1::Operation* operation = request->add_operations();
  operation->set_database(database);
  v1::Statement* statement = operation->add_statements();
  statement->set_sql("UPDATE element SET value = value WHERE id = -1");
  statement->mutable_expect()->set_rows(1);
}

void TakeAnswer(const v1::ExecuteResponse& answer, ListTransaction* transaction) {
  transaction->end = ListEnd::kCommitted;
  EXPECT_EQ(answer.results_size(), static_cast<int>(transaction->steps.size()))
      << answer.ShortDebugString();
  for (int i = 0; i < answer.results_size(); ++i) {
    ListStep& step = transaction->steps[static_cast<size_t>(i)];
    if (step.kind == ListStep::Kind::kRead) {
      step.seen = ElementsOf(answer.results(i).statements(0).rows());
    }
  }
  absl::StrAppend(&transaction->name, " ", answer.transaction_id());
}

}  // namespace

struct ListWorkload::Client {
  std::unique_ptr<v1::CoordinatorService::Stub> stub;
  std::mt19937_64 random;
};

ListWorkload::ListWorkload(ProcessCluster* cluster, uint64_t seed)
    : cluster_(cluster), seed_(seed), seeds_(seed + 1), archive_(kListsKept, seed) {}

ListWorkload::~ListWorkload() { Stop(); }

void ListWorkload::CreateTables() {
  v1::ExecuteRequest request;
  for (const std::string& database : BankWorkload::Databases()) {
    v1::Operation* operation = request.add_operations();
    operation->set_database(database);
    operation->add_statements()->set_sql(
        "CREATE TABLE element(id INTEGER PRIMARY KEY, list INTEGER, value INTEGER)");
    operation->add_statements()->set_sql("CREATE INDEX element_list ON element(list, id)");
  }
  v1::ExecuteResponse response;
  const grpc::Status status = cluster_->Coordinator()->Execute(
      Within(absl::Seconds(20), /*wait_for_ready=*/true).get(), request, &response);
  ASSERT_TRUE(status.ok()) << ToText(status);
}

void ListWorkload::Start(int clients) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = false;
    history_.clear();
    first_list_ += kListsInUse;
    start_list_ = first_list_;
  }
  for (int i = 0; i < clients; ++i) {
    threads_.emplace_back([this, process = ++next_process_, seed = seeds_()] {
      Work(process, std::mt19937_64(seed));
    });
  }
}

void ListWorkload::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool ListWorkload::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

ListCounts ListWorkload::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::string ListWorkload::PickList(std::mt19937_64* random) {
  const auto& databases = BankWorkload::Databases();
  const auto number = first_list_ + static_cast<int64_t>((*random)() % kListsInUse);
  return absl::StrCat(databases[(*random)() % databases.size()], "/", number);
}

ListTransaction ListWorkload::MakeTransaction(int process, std::mt19937_64* random,
                                              std::string* request_id) {
  ListTransaction made;
  made.process = process;
  made.end = ListEnd::kUnknown;
  const std::lock_guard lock(mutex_);
  *request_id = absl::StrCat("list-", seed_, "-", ++next_name_);
  made.name = *request_id;
  for (uint64_t step = (*random)() % 4 + 1; step > 0; --step) {
    std::string list = PickList(random);
    if ((*random)() % 2 == 0) {
      made.steps.push_back(AppendTo(std::move(list), ++next_element_));
      // Spread over the lists in use of all databases.
      const auto lists = kListsInUse * static_cast<int64_t>(BankWorkload::Databases().size());
      if (next_element_ % (kElementsEach * lists) == 0) first_list_ += kListsInUse;
    } else {
      made.steps.push_back(ReadOf(std::move(list), {}));
    }
  }
  return made;
}

void ListWorkload::Work(int process, std::mt19937_64 random) {
  Client client{cluster_->Coordinator(), std::move(random)};
  while (!stopping()) {
    std::string request_id;
    ListTransaction transaction = MakeTransaction(process, &client.random, &request_id);
    transaction.invoked = SteadyNow();
    const bool is_one_read =
        transaction.steps.size() == 1 && transaction.steps[0].kind == ListStep::Kind::kRead;
    if (is_one_read) {
      RunQuery(&client, &transaction);
    } else {
      Run(&client, &transaction, request_id);
    }
    transaction.completed = SteadyNow();
    Record(std::move(transaction));
  }
}

void ListWorkload::RunQuery(Client* client, ListTransaction* transaction) {
  v1::QueryRequest request;
  ListStep& step = transaction->steps[0];
  request.set_database(DatabaseOf(step.list));
  request.set_sql(kReadList);
  request.add_params()->set_int_value(NumberOf(step.list));
  v1::QueryResponse response;
  const grpc::Status status =
      client->stub->Query(Within(kCallTimeout, /*wait_for_ready=*/true).get(), request, &response);
  transaction->end = status.ok() ? ListEnd::kCommitted : ListEnd::kFailed;
  if (!status.ok()) return;
  step.seen = ElementsOf(response.rows());
  absl::StrAppend(&transaction->name, " at ", response.node_id());
}

void ListWorkload::Run(Client* client, ListTransaction* transaction,
                       const std::string& request_id) {
  v1::ExecuteRequest request = RequestOf(*transaction, request_id);
  const bool must_fail = client->random() % 16 == 0;
  if (must_fail) AddFailingGuard(DatabaseOf(transaction->steps[0].list), &request);
  const int tries = client->random() % 8 == 0 ? 1 : kMostTries;
  for (int attempt = 1; attempt <= tries; ++attempt) {
    request.set_attempt(static_cast<uint32_t>(attempt));
    const bool is_known = attempt > 1 && client->random() % 3 == 0
                              ? Ask(client, transaction, request)
                              : Try(client, transaction, &request, attempt > 1);
    if (is_known) break;
  }
  EXPECT_FALSE(must_fail && transaction->end == ListEnd::kCommitted) << ToText(*transaction);
}

bool ListWorkload::Try(Client* client, ListTransaction* transaction, v1::ExecuteRequest* request,
                       bool is_retry) {
  v1::ExecuteResponse response;
  const grpc::Status status = client->stub->Execute(
      Within(kCallTimeout, /*wait_for_ready=*/true).get(), *request, &response);
  {
    const std::lock_guard lock(mutex_);
    if (is_retry) ++counts_.retries;
    if (status.ok() && response.deduplicated()) ++counts_.deduplicated;
  }
  if (status.ok()) {
    TakeAnswer(response, transaction);
    return true;
  }
  const ErrorDetails details = DetailsOf(status);
  const std::string outcome = details["outcome"];
  EXPECT_NE(details.reason, "REQUEST_ID_REUSED") << ToText(status);
  // NOT_STARTED speaks of this try alone.
  if (outcome == "ABORTED" || (outcome == "NOT_STARTED" && !is_retry)) {
    transaction->end = ListEnd::kFailed;
    return true;
  }
  return false;
}

bool ListWorkload::Ask(Client* client, ListTransaction* transaction,
                       const v1::ExecuteRequest& request) {
  v1::GetTransactionRequest question;
  question.set_request_id(request.request_id());
  question.set_attempt(request.attempt());
  v1::GetTransactionResponse response;
  const grpc::Status status = client->stub->GetTransaction(
      Within(kCallTimeout, /*wait_for_ready=*/true).get(), question, &response);
  if (!status.ok() && DetailsOf(status).reason != "TRANSACTION_UNKNOWN") return false;
  if (!status.ok() || response.outcome() == v1::OUTCOME_ABORTED) {
    transaction->end = ListEnd::kFailed;
    return true;
  }
  if (response.outcome() != v1::OUTCOME_COMMITTED) return false;
  TakeAnswer(response.answer(), transaction);
  return true;
}

void ListWorkload::Record(ListTransaction transaction) {
  const std::lock_guard lock(mutex_);
  if (transaction.end == ListEnd::kCommitted) {
    ++counts_.committed;
    for (const ListStep& step : transaction.steps) {
      if (step.kind == ListStep::Kind::kRead) ++counts_.reads;
    }
  } else {
    ++(transaction.end == ListEnd::kFailed ? counts_.failed : counts_.unknown);
  }
  history_.push_back(std::move(transaction));
}

std::vector<int64_t> ListWorkload::ReadList(v1::ParticipantService::Stub* stub,
                                            const std::string& list) const {
  v1::ParticipantServiceQueryRequest request;
  request.set_sql(kReadList);
  request.add_params()->set_int_value(NumberOf(list));
  v1::ParticipantServiceQueryResponse response;
  const grpc::Status status =
      stub->Query(Within(absl::Seconds(20), /*wait_for_ready=*/true).get(), request, &response);
  EXPECT_TRUE(status.ok()) << list << ": " << ToText(status);
  return ElementsOf(response.rows());
}

void ListWorkload::ReadNode(size_t index) {
  const NodeSpec& node = cluster_->node(index);
  const auto stub = cluster_->Participant(index);
  for (int64_t number = start_list_; number < first_list_ + kListsInUse; ++number) {
    const std::string list = absl::StrCat(node.database, "/", number);
    ListTransaction read;
    read.name = absl::StrCat("audit of ", node.node_id);
    read.process = kAuditor;
    read.invoked = SteadyNow();
    read.steps.push_back(ReadOf(list, ReadList(stub.get(), list)));
    read.completed = SteadyNow();
    history_.push_back(std::move(read));
  }
  for (const auto& [list, elements] : archive_.lists()) {
    if (DatabaseOf(list) != node.database) continue;
    EXPECT_EQ(archive_.Compare(list, ReadList(stub.get(), list)), "") << "on " << node.node_id;
  }
}

// What replicas hold is equal, if there was no anomaly.
void ListWorkload::KeepLists() {
  for (const ListTransaction& transaction : history_) {
    if (transaction.process != kAuditor) continue;
    for (const ListStep& step : transaction.steps) archive_.Keep(step.list, step.seen);
  }
}

void ListWorkload::Check() {
  const std::lock_guard lock(mutex_);
  compared_ = archive_.lists().size();
  for (size_t i = 0; i < cluster_->size(); ++i) ReadNode(i);
  const HistoryVerdict verdict = CheckHistory(history_);
  proved_ += verdict.proved;
  for (const Anomaly& anomaly : verdict.anomalies) {
    ADD_FAILURE() << anomaly.name << ": " << anomaly.text;
  }
  KeepLists();
}

}  // namespace lockstep::testing_support
