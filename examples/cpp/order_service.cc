#include "examples/cpp/order_service.h"

#include <thread>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace example {
namespace {

namespace v1 = lockstep::v1;

constexpr std::chrono::seconds kCallTime{10};
constexpr std::chrono::milliseconds kPause{100};
constexpr uint32_t kMostAttempts = 20;

v1::Value Int(int64_t number) {
  v1::Value value;
  value.set_int_value(number);
  return value;
}

v1::Value Real(double number) {
  v1::Value value;
  value.set_real_value(number);
  return value;
}

v1::Value Text(const std::string& text) {
  v1::Value value;
  value.set_text_value(text);
  return value;
}

v1::Value Blob(const std::string& bytes) {
  v1::Value value;
  value.set_blob_value(bytes);
  return value;
}

v1::Value Null() { return {}; }

v1::Statement* Add(v1::Operation* operation, const std::string& sql,
                   const std::vector<v1::Value>& params = {}) {
  v1::Statement* statement = operation->add_statements();
  statement->set_sql(sql);
  for (const v1::Value& value : params) *statement->add_params() = value;
  return statement;
}

v1::Operation* Add(v1::ExecuteRequest* request, const std::string& database) {
  v1::Operation* operation = request->add_operations();
  operation->set_database(database);
  return operation;
}

// What a failed call says beside its code. Without an ErrorInfo the error is not Lockstep's: a lost
// connection, a client's deadline.
struct Details {
  std::optional<google::rpc::ErrorInfo> info;
  std::optional<std::chrono::nanoseconds> retry_delay;
};

Details DetailsOf(const grpc::Status& status) {
  Details details;
  google::rpc::Status packed;
  if (!packed.ParseFromString(status.error_details())) return details;
  for (const google::protobuf::Any& any : packed.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    if (any.UnpackTo(&info)) {
      details.info = info;
    } else if (any.UnpackTo(&retry)) {
      details.retry_delay = std::chrono::seconds(retry.retry_delay().seconds()) +
                            std::chrono::nanoseconds(retry.retry_delay().nanos());
    }
  }
  return details;
}

v1::ExecuteRequest OrderRequest(const std::string& order, const std::string& owner, int64_t coins) {
  v1::ExecuteRequest request;
  request.set_request_id("cpp-order-" + order);
  v1::Statement* pay =
      Add(Add(&request, "bank"),
          "UPDATE cpp_wallet SET coins = coins - ? WHERE owner = ? AND coins >= ? RETURNING coins",
          {Int(coins), Text(owner), Int(coins)});
  // The guard: a wallet that has too little is not found.
  pay->mutable_expect()->set_rows(1);
  Add(Add(&request, "orders"), "INSERT INTO cpp_invoice VALUES (?, ?, ?)",
      {Text(order), Text(owner), Int(coins)});
  return request;
}

}  // namespace

v1::ExecuteResponse OrderService::Execute(v1::ExecuteRequest request, uint32_t first_attempt) {
  for (uint32_t attempt = first_attempt; attempt < first_attempt + kMostAttempts; ++attempt) {
    request.set_attempt(attempt);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallTime);
    v1::ExecuteResponse answer;
    const grpc::Status status = stub_->Execute(&context, request, &answer);
    if (status.ok()) return answer;
    const Details details = DetailsOf(status);
    if (details.info && details.info->metadata().at("outcome") != "UNKNOWN" &&
        !details.retry_delay) {
      const auto& metadata = details.info->metadata();
      throw Refused(status.error_message(), details.info->reason(),
                    {metadata.begin(), metadata.end()});
    }
    // Aborted and worth a retry, or unknown: request_id makes sending it again safe, and attempt
    // keeps the try before from happening after this one was answered.
    std::this_thread::sleep_for(details.retry_delay.value_or(kPause));
  }
  throw std::runtime_error(request.request_id() + " is not decided after all attempts");
}

std::optional<bool> OrderService::Resolve(const std::string& request_id, uint32_t attempt) {
  v1::GetTransactionRequest request;
  request.set_request_id(request_id);
  request.set_attempt(attempt);
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallTime);
    v1::GetTransactionResponse answer;
    const grpc::Status status = stub_->GetTransaction(&context, request, &answer);
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) return std::nullopt;
    if (!status.ok()) throw std::runtime_error(status.error_message());
    if (answer.outcome() != v1::OUTCOME_IN_PROGRESS) {
      return answer.outcome() == v1::OUTCOME_COMMITTED;
    }
    std::this_thread::sleep_for(kPause / 2);
  }
}

std::vector<v1::Row> OrderService::Query(const std::string& database, const std::string& sql) {
  v1::QueryRequest request;
  request.set_database(database);
  request.set_sql(sql);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTime);
  v1::QueryResponse answer;
  const grpc::Status status = stub_->Query(&context, request, &answer);
  if (!status.ok()) throw std::runtime_error(status.error_message());
  return {answer.rows().begin(), answer.rows().end()};
}

void OrderService::SetUp() {
  v1::ExecuteRequest request;
  request.set_request_id("cpp-set-up-1");
  v1::Operation* bank = Add(&request, "bank");
  Add(bank,
      "CREATE TABLE IF NOT EXISTS cpp_wallet(owner TEXT PRIMARY KEY, coins INTEGER, rate REAL, "
      "photo BLOB, note TEXT)");
  Add(bank, "INSERT INTO cpp_wallet VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      {Text("Anna"), Int(100), Real(0.5), Blob(std::string("\0\xff", 2)), Null()});
  Add(Add(&request, "orders"),
      "CREATE TABLE IF NOT EXISTS cpp_invoice(id TEXT PRIMARY KEY, owner TEXT, coins INTEGER)");
  Execute(std::move(request));
}

OrderService::Placed OrderService::Place(const std::string& order, const std::string& owner,
                                         int64_t coins) {
  const v1::ExecuteResponse answer = Execute(OrderRequest(order, owner, coins));
  return {answer.results(0).statements(0).rows(0).values(0).int_value(), answer.deduplicated()};
}

bool OrderService::PlaceHastily(const std::string& order, const std::string& owner, int64_t coins) {
  v1::ExecuteRequest request = OrderRequest(order, owner, coins);
  request.set_attempt(1);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
  v1::ExecuteResponse answer;
  if (stub_->Execute(&context, request, &answer).ok()) return true;
  if (const std::optional<bool> happened = Resolve(request.request_id(), 2)) return *happened;
  // It never arrived, or is older than what the coordinator keeps: its request_id tells.
  Execute(std::move(request), 2);
  return true;
}

}  // namespace example
