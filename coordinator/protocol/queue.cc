#include "coordinator/protocol/queue.h"

#include <algorithm>
#include <functional>

#include "common/check.h"

namespace lockstep::coordinator {
namespace {

// Lines shorter than this are not worth compacting.
constexpr size_t kLeastLeftToCompact = 64;

}  // namespace

AdmissionQueue::AdmissionQueue(size_t participants, QueueCaps caps)
    : caps_(caps), lines_(participants) {}

bool AdmissionQueue::HasRoomFor(uint64_t bytes) const {
  return waiting_ < caps_.transactions && waiting_bytes_ + bytes <= caps_.bytes;
}

Slot AdmissionQueue::Add(const Submit& submit) {
  Slot slot = 0;
  if (unused_.empty()) {
    slot = static_cast<Slot>(transactions_.size());
    transactions_.emplace_back();
  } else {
    slot = unused_.back();
    unused_.pop_back();
  }
  Transaction& transaction = transactions_[slot];
  transaction.handle = submit.transaction;
  transaction.participants = submit.participants;
  transaction.bytes = submit.bytes;
  transaction.deadline = submit.deadline;
  transaction.sequence = next_sequence_++;
  transaction.used = true;
  transaction.was_sent = false;
  StartWaiting(slot);
  return slot;
}

void AdmissionQueue::Return(const std::vector<Slot>& slots) {
  // From the youngest: each then goes in front of the one before, without a search.
  for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
    transactions_[*slot].was_sent = true;
    StartWaiting(*slot);
  }
}

void AdmissionQueue::StartWaiting(Slot slot) {
  Transaction& transaction = transactions_[slot];
  LOCKSTEP_CHECK(transaction.used && !transaction.waiting, "waits already");
  transaction.waiting = true;
  ++waiting_;
  waiting_bytes_ += transaction.bytes;
  earliest_deadline_ = std::min(earliest_deadline_, transaction.deadline);
  transaction.parked =
      std::any_of(transaction.participants.begin(), transaction.participants.end(),
                  [this](ParticipantIndex participant) { return !lines_[participant].ready; });
  if (transaction.parked || lines_are_stale_) return;
  for (const ParticipantIndex participant : transaction.participants) {
    Insert(&lines_[participant], {transaction.sequence, slot});
  }
}

void AdmissionQueue::Insert(Line* line, Entry entry) {
  std::deque<Entry>& entries = line->entries;
  if (entries.empty() || entries.back().sequence < entry.sequence) {
    entries.push_back(entry);
    return;
  }
  auto place = entries.begin();
  while (place->sequence < entry.sequence) ++place;
  entries.insert(place, entry);
}

void AdmissionQueue::StopWaiting(Slot slot) {
  Transaction& transaction = transactions_[slot];
  LOCKSTEP_CHECK(transaction.waiting, "does not wait");
  transaction.waiting = false;
  --waiting_;
  waiting_bytes_ -= transaction.bytes;
  if (transaction.parked) return;
  for (const ParticipantIndex participant : transaction.participants) {
    Line& line = lines_[participant];
    ++line.left;
    if (line.left > kLeastLeftToCompact && line.left > line.entries.size() / 2) Compact(&line);
  }
}

void AdmissionQueue::Release(Slot slot) {
  Transaction& transaction = transactions_[slot];
  LOCKSTEP_CHECK(transaction.used && !transaction.waiting, "released while it waits");
  transaction.used = false;
  unused_.push_back(slot);
}

void AdmissionQueue::SetReady(ParticipantIndex participant, bool ready) {
  if (lines_[participant].ready == ready) return;
  lines_[participant].ready = ready;
  lines_are_stale_ = true;
}

bool AdmissionQueue::InLine(const Entry& entry) const {
  const Transaction& transaction = transactions_[entry.slot];
  return transaction.waiting && transaction.sequence == entry.sequence;
}

void AdmissionQueue::Compact(Line* line) {
  std::erase_if(line->entries, [this](const Entry& entry) { return !InLine(entry); });
  line->left = 0;
}

void AdmissionQueue::RebuildLines() {
  lines_are_stale_ = false;
  for (Line& line : lines_) {
    line.entries.clear();
    line.left = 0;
  }
  std::vector<Slot> slots;
  CollectWaiting(&slots);
  for (const Slot slot : slots) {
    Transaction& transaction = transactions_[slot];
    transaction.parked = false;
    for (const ParticipantIndex participant : transaction.participants) {
      if (!lines_[participant].ready) transaction.parked = true;
    }
    if (transaction.parked) continue;
    for (const ParticipantIndex participant : transaction.participants) {
      lines_[participant].entries.push_back({transaction.sequence, slot});
    }
  }
}

const AdmissionQueue::Entry* AdmissionQueue::HeadOf(ParticipantIndex participant) {
  Line& line = lines_[participant];
  while (!line.entries.empty() && !InLine(line.entries.front())) {
    line.entries.pop_front();
    --line.left;
  }
  return line.entries.empty() ? nullptr : &line.entries.front();
}

void AdmissionQueue::PushHead(ParticipantIndex participant) {
  const Entry* head = HeadOf(participant);
  if (head == nullptr) return;
  heads_.emplace_back(head->sequence, participant);
  std::push_heap(heads_.begin(), heads_.end(), std::greater<>());
}

void AdmissionQueue::TakeJoining(const std::vector<Capacity>& capacities,
                                 std::vector<Slot>* joining) {
  if (lines_are_stale_) RebuildLines();
  heads_.clear();
  for (ParticipantIndex participant = 0; participant < lines_.size(); ++participant) {
    if (!capacities[participant].free) continue;
    Line& line = lines_[participant];
    line.blocked = false;
    line.taken = 0;
    line.taken_bytes = 0;
    PushHead(participant);
  }
  while (!heads_.empty()) {
    const auto [sequence, participant] = heads_.front();
    std::pop_heap(heads_.begin(), heads_.end(), std::greater<>());
    heads_.pop_back();
    if (lines_[participant].blocked) continue;
    const Entry* head = HeadOf(participant);
    if (head == nullptr || head->sequence != sequence) continue;  // joined by another line
    const Slot slot = head->slot;
    if (CanJoin(transactions_[slot], capacities)) {
      Join(slot, capacities);
      joining->push_back(slot);
    } else {
      for (const ParticipantIndex reserved : transactions_[slot].participants) {
        lines_[reserved].blocked = true;
      }
    }
  }
}

bool AdmissionQueue::CanJoin(const Transaction& transaction,
                             const std::vector<Capacity>& capacities) {
  for (const ParticipantIndex participant : transaction.participants) {
    const Capacity& capacity = capacities[participant];
    const Line& line = lines_[participant];
    if (!capacity.free || line.blocked) return false;
    if (HeadOf(participant)->sequence != transaction.sequence) return false;
    if (line.taken == 0) continue;
    if (line.taken >= capacity.transactions) return false;
    if (line.taken_bytes + transaction.bytes > capacity.bytes) return false;
  }
  return true;
}

void AdmissionQueue::Join(Slot slot, const std::vector<Capacity>& capacities) {
  Transaction& transaction = transactions_[slot];
  transaction.waiting = false;
  --waiting_;
  waiting_bytes_ -= transaction.bytes;
  for (const ParticipantIndex participant : transaction.participants) {
    Line& line = lines_[participant];
    line.entries.pop_front();
    ++line.taken;
    line.taken_bytes += transaction.bytes;
    if (line.taken < capacities[participant].transactions) PushHead(participant);
  }
}

void AdmissionQueue::CollectWaiting(std::vector<Slot>* slots) const {
  for (Slot slot = 0; slot < transactions_.size(); ++slot) {
    if (transactions_[slot].waiting) slots->push_back(slot);
  }
  std::sort(slots->begin(), slots->end(), [this](Slot a, Slot b) {
    return transactions_[a].sequence < transactions_[b].sequence;
  });
}

void AdmissionQueue::CollectWaitingFor(ParticipantIndex participant,
                                       std::vector<Slot>* slots) const {
  CollectWaiting(slots);
  std::erase_if(*slots, [this, participant](Slot slot) {
    const auto& participants = transactions_[slot].participants;
    return std::find(participants.begin(), participants.end(), participant) == participants.end();
  });
}

void AdmissionQueue::CollectExpired(absl::Duration now, std::vector<Slot>* slots) {
  if (now < earliest_deadline_) return;
  earliest_deadline_ = absl::InfiniteDuration();
  for (Slot slot = 0; slot < transactions_.size(); ++slot) {
    const Transaction& transaction = transactions_[slot];
    if (!transaction.waiting) continue;
    if (transaction.deadline <= now) {
      slots->push_back(slot);
    } else {
      earliest_deadline_ = std::min(earliest_deadline_, transaction.deadline);
    }
  }
}

}  // namespace lockstep::coordinator
