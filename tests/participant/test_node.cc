#include "tests/participant/test_node.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <future>

#include "common/rpc/convert.h"
#include "common/rpc/error_details.h"
#include "lockstep/v1/two_phase_commit.pb.h"

namespace lockstep::participant {
namespace {

ReaderPoolOptions ReadersOf(const EngineOptions& options) {
  ReaderPoolOptions readers;
  readers.name = options.name;
  readers.readers = options.readers;
  readers.limits = options.execution;
  return readers;
}

Target TargetOf(const EngineOptions& options, Term term) {
  return {options.name.cluster_id, options.name.node_id, term};
}

std::string TextOf(const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return std::holds_alternative<std::monostate>(value) ? "NULL" : "other";
}

}  // namespace

TestDirectory::TestDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "lockstep-XXXXXX").string();
  path_ = mkdtemp(name.data());
}

TestDirectory::~TestDirectory() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

EngineOptions TestOptions(const std::string& directory) {
  EngineOptions options;
  options.name = {"test", "node-1", "bank", NodeRole::kMaster};
  options.store.directory = directory;
  options.store.cluster_id = "test";
  options.store.node_id = "node-1";
  options.store.database = "bank";
  options.round.record_bytes = size_t{1} << 20;
  options.store.redo_capacity = int64_t{1} << 20;
  options.readers = 2;
  // A slow build on a busy machine is no reason for a statement to fail.
  options.execution.statement_budget = absl::Seconds(60);
  return options;
}

RoundId Round(uint64_t number, Term term) { return RoundId::Make(term, number); }

TestNode::TestNode(EngineOptions options)
    : options_(std::move(options)),
      readers_(&system_clock_, ReadersOf(options_)),
      engine_(std::make_unique<Engine>(options_, &clock_, &board_, &readers_)) {}

TestNode::~TestNode() {
  readers_.Stop();
  engine_->Close();
}

void TestNode::CopyFilesTo(const std::string& directory) const {
  std::filesystem::copy(
      options_.store.directory, directory,
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
}

void TestNode::Handle(Message message) {
  std::vector<Message> batch;
  batch.push_back(std::move(message));
  engine_->Handle(batch);
}

FenceCall TestNode::FenceOf(Term term) const {
  FenceCall call;
  call.target = TargetOf(options_, term);
  call.log_id = "log-1";
  call.database = options_.name.database;
  call.role = static_cast<int>(options_.name.role);
  call.replicas = 1;
  call.data_format = kDataFormat;
  return call;
}

Answer<Ok> TestNode::FenceBy(Term term, uint64_t boot_id, std::vector<uint64_t> earlier) {
  Answer<Ok> answer;
  FenceCall call = FenceOf(term);
  call.boot_id = boot_id;
  call.earlier_boot_ids = std::move(earlier);
  Handle(FenceMessage{std::move(call), answer.Taker()});
  return answer;
}

Answer<Ok> TestNode::Fence(Term term, uint32_t replicas, const std::string& log_id) {
  Answer<Ok> answer;
  FenceCall call = FenceOf(term);
  call.log_id = log_id;
  call.replicas = replicas;
  Handle(FenceMessage{std::move(call), answer.Taker()});
  return answer;
}

Answer<Votes> TestNode::Prepare(RoundId round, const std::vector<Sql>& branches, bool want_rows,
                                absl::Duration waited) {
  std::vector<Branch> made;
  for (const Sql& statements : branches) {
    Branch& branch = made.emplace_back();
    branch.transaction_id = "t" + std::to_string(made.size());
    branch.clock = clock_.WallNow();
    branch.seed = made.size();
    branch.time_left = absl::Seconds(10);
    BranchOperation& operation = branch.operations.emplace_back();
    for (const std::string& sql : statements) operation.statements.push_back({sql, {}, {}});
  }
  return PrepareBranches(round, made, want_rows, waited);
}

Answer<Votes> TestNode::PrepareBranches(RoundId round, const std::vector<Branch>& branches,
                                        bool want_rows, absl::Duration waited) {
  v1::PrepareRequest request;
  request.set_want_rows(want_rows);
  for (const Branch& branch : branches) rpc::ToProto(branch, request.add_branches());
  PrepareCall call;
  call.target = TargetOf(options_, round.term());
  call.round = round;
  call.body = RoundBody::Encode(options_.name.cluster_id, options_.name.node_id, request,
                                options_.round.record_bytes);
  call.branches = rpc::BranchesOf(&request);
  Answer<Votes> answer;
  Handle(PrepareMessage{std::move(call), clock_.MonotonicNow() - waited, answer.Taker()});
  return answer;
}

Answer<Ok> TestNode::Commit(RoundId round, std::optional<uint32_t> cut, Term term) {
  Answer<Ok> answer;
  CommitCall call{TargetOf(options_, term == 0 ? round.term() : term), round, cut};
  Handle(CommitMessage{std::move(call), answer.Taker()});
  return answer;
}

Answer<Ok> TestNode::Rollback(RoundId round, Term term) {
  Answer<Ok> answer;
  RollbackCall call{TargetOf(options_, term == 0 ? round.term() : term), round};
  Handle(RollbackMessage{std::move(call), answer.Taker()});
  return answer;
}

std::unique_ptr<Answer<std::vector<StatementResult>>> TestNode::Execute(const Sql& statements,
                                                                        absl::Duration timeout) {
  auto answer = std::make_unique<Answer<std::vector<StatementResult>>>();
  LocalMessage message;
  for (const std::string& sql : statements) message.statements.push_back({sql, {}, {}});
  message.deadline = clock_.MonotonicNow() + timeout;
  message.done = answer->Taker();
  Handle(std::move(message));
  return answer;
}

std::vector<std::unique_ptr<Answer<std::vector<StatementResult>>>> TestNode::ExecuteAll(
    const std::vector<Sql>& transactions) {
  std::vector<std::unique_ptr<Answer<std::vector<StatementResult>>>> answers;
  std::vector<Message> batch;
  for (const Sql& statements : transactions) {
    answers.push_back(std::make_unique<Answer<std::vector<StatementResult>>>());
    LocalMessage message;
    for (const std::string& sql : statements) message.statements.push_back({sql, {}, {}});
    message.deadline = clock_.MonotonicNow() + absl::Seconds(10);
    message.done = answers.back()->Taker();
    batch.push_back(std::move(message));
  }
  engine_->Handle(batch);
  return answers;
}

Answer<Ok> TestNode::ReadAt(Term term, RoundId least) {
  Answer<Ok> answer;
  Handle(ReadTermMessage{term, least, answer.Taker()});
  return answer;
}

Result<QueryRows> TestNode::Query(const std::string& sql, RoundId least, absl::Duration timeout) {
  std::promise<Result<QueryRows>> promise;
  QueryCall call;
  call.select.sql = sql;
  call.least_round = least;
  call.timeout = timeout;
  readers_.Submit(std::move(call), Asker::kClient, nullptr,
                  [&promise](Result<QueryRows> rows) { promise.set_value(std::move(rows)); });
  return promise.get_future().get();
}

std::string TestNode::Read(const std::string& sql) {
  const Result<QueryRows> rows = Query(sql);
  if (!rows.ok()) return std::string("error ") + rpc::ReasonName(rows.error().reason);
  return rows.value().rows.empty() ? "no row" : TextOf(rows.value().rows[0][0]);
}

std::string TestNode::Letters(const Answer<Votes>& votes) {
  if (!votes.ok()) return "error";
  std::string letters;
  for (const BranchVote& vote : *votes.result->value().votes) {
    letters += vote.kind == VoteKind::kYes ? 'Y' : vote.kind == VoteKind::kNo ? 'N' : 'D';
  }
  return letters;
}

std::unique_ptr<TestNode> StartNode(const EngineOptions& options) {
  auto node = std::make_unique<TestNode>(options);
  const absl::Status opened = node->Open();
  EXPECT_TRUE(opened.ok()) << opened;
  EXPECT_TRUE(node->Fence().ok());
  EXPECT_TRUE(node->Execute({"CREATE TABLE t(k INTEGER PRIMARY KEY, v)"})->ok());
  return node;
}

}  // namespace lockstep::participant
