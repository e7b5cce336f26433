#include "tests/simulation/model.h"

#include <algorithm>

#include "tests/simulation/random.h"

namespace lockstep::simulation {
namespace {

constexpr int64_t kMostCoins = 30;  // of one transfer

// As the product's random(), the first time in a branch: never negative here.
int64_t FirstChance(uint64_t seed) {
  const auto value = static_cast<int64_t>(Mix(seed));
  return (value < 0 ? value & INT64_MAX : value) % kChanceModulus;
}

int64_t MillisecondsOfMinute(absl::Time clock) { return absl::ToUnixMillis(clock) % 60000; }

// The lowest database gives, the highest takes; a transaction in one database moves coins there.
std::array<int64_t, 2> TransferOf(TransactionHandle transaction, DatabaseIndex database) {
  const uint64_t what = Mix(transaction, 3);
  const int64_t amount = 1 + static_cast<int64_t>(what % kMostCoins);
  const size_t account = what >> 8 & 1;
  const TransactionHandle databases = transaction >> kDatabasesShift;
  std::array<int64_t, 2> coins = {};
  const bool gives = (databases & ((uint64_t{1} << database) - 1)) == 0;
  const bool takes = databases >> database == 1;
  if (gives) coins[account] -= amount;
  if (takes) coins[1 - account] += amount;
  return coins;
}

constexpr TransactionHandle kScriptedBit = uint64_t{1} << 63;
constexpr int kNeedsShift = 61;
constexpr int kNeedyShift = 57;  // the database whose rows it asks for, in the 4 bits below
constexpr TransactionHandle kNumberMask = (uint64_t{1} << 40) - 1;

bool MissesItsNeeds(TransactionHandle scripted, DatabaseIndex database, bool is_written) {
  if ((scripted >> kNeedyShift & 15) != database) return false;
  const auto needs = static_cast<Needs>(scripted >> kNeedsShift & 3);
  return (needs == Needs::kUnwritten && is_written) || (needs == Needs::kWritten && !is_written);
}

Vote ExecuteScripted(const PreparedBranch& branch, DatabaseIndex database, Rows* rows) {
  int64_t& cell = rows->cells[0];
  if (MissesItsNeeds(branch.transaction, database, cell != 0)) return {Vote::Kind::kNo, 0};
  cell = 1 + (cell * kMixFactor + FirstChance(branch.seed) + MillisecondsOfMinute(branch.clock) +
              static_cast<int64_t>(NumberOf(branch.transaction))) %
                 (kMixModulus - 1);
  return {Vote::Kind::kYes, Mix(static_cast<uint64_t>(cell))};
}

}  // namespace

TransactionHandle Scripted(uint64_t number, Needs needs, DatabaseIndex database) {
  return number | kScriptedBit | static_cast<uint64_t>(needs) << kNeedsShift |
         uint64_t{database} << kNeedyShift;
}

uint64_t NumberOf(TransactionHandle transaction) { return transaction & kNumberMask; }

void Rows::AppendState(std::vector<uint64_t>* words) const {
  words->insert(words->end(), cells.begin(), cells.end());
  words->insert(words->end(), coins.begin(), coins.end());
  words->insert(words->end(), registers.begin(), registers.end());
  words->push_back(list.hash());
}

void AppendList::Append(TransactionHandle item) {
  auto node = std::make_shared<Node>();
  node->item = item;
  node->size = size() + 1;
  node->hash = Mix(hash(), item);
  node->before = std::move(last_);
  last_ = std::move(node);
}

std::vector<TransactionHandle> AppendList::Items() const {
  std::vector<TransactionHandle> items;
  for (const Node* node = last_.get(); node != nullptr; node = node->before.get()) {
    items.push_back(node->item);
  }
  std::reverse(items.begin(), items.end());
  return items;
}

Work WorkOf(TransactionHandle transaction, DatabaseIndex database, ParticipantIndex participant) {
  const uint64_t what = Mix(transaction, database);
  Work work;
  work.cell = what % std::tuple_size_v<decltype(Rows::cells)>;
  work.refused_remainder = static_cast<int64_t>((what >> 8) % kRemainders);
  work.added = static_cast<int64_t>(what >> 40);
  if ((transaction & kNondeterministicBit) != 0) work.added += 1 + participant;
  work.kind = static_cast<Work::Kind>(Mix(transaction, 1) % 4);
  if (work.kind == Work::Kind::kTransfer) work.coins = TransferOf(transaction, database);
  work.register_index = what >> 16 & 1;
  return work;
}

Vote Execute(const PreparedBranch& branch, DatabaseIndex database, ParticipantIndex participant,
             Rows* rows) {
  if ((branch.transaction & kScriptedBit) != 0) return ExecuteScripted(branch, database, rows);
  const Work work = WorkOf(branch.transaction, database, participant);
  int64_t& cell = rows->cells[work.cell];
  if (cell % kRemainders == work.refused_remainder) return {Vote::Kind::kNo, 0};
  for (size_t i = 0; i < work.coins.size(); ++i) {
    if (rows->coins[i] + work.coins[i] < 0) return {Vote::Kind::kNo, 0};
  }
  // Time and chance go in: a replica or a re-execution that sees others is found out (R23).
  cell = (cell * kMixFactor + FirstChance(branch.seed) + MillisecondsOfMinute(branch.clock) +
          work.added) %
         kMixModulus;
  for (size_t i = 0; i < work.coins.size(); ++i) rows->coins[i] += work.coins[i];
  if (work.kind == Work::Kind::kAppend) rows->list.Append(branch.transaction);
  if (work.kind == Work::Kind::kRegister) rows->registers[work.register_index] = branch.transaction;
  const uint64_t before = Mix(rows->list.hash(), rows->registers[work.register_index]);
  return {Vote::Kind::kYes, Mix(static_cast<uint64_t>(cell), before,
                                static_cast<uint64_t>(rows->coins[0] * 1000 + rows->coins[1]))};
}

}  // namespace lockstep::simulation
