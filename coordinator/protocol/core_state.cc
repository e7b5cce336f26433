// The coordinator's state as plain words, so that two of them can be compared.
#include <algorithm>
#include <initializer_list>

#include "coordinator/protocol/core.h"

namespace lockstep::coordinator {
namespace {

void Append(RoundId round, std::vector<uint64_t>* words) {
  words->push_back(static_cast<uint64_t>(round.value()));
}

// Up to 64 answers in one word, which a one in front ends.
uint64_t Pack(std::initializer_list<bool> answers) {
  uint64_t packed = 1;
  for (const bool answer : answers) packed = packed << 1 | uint64_t{answer};
  return packed;
}

}  // namespace

void Core::AppendParticipant(const ParticipantRecord& record, std::vector<uint64_t>* words) const {
  const bool counts = record.lost_at_fence == record.handshakes_lost &&
                      record.rounds_sent_at_fence == record.rounds_sent;
  words->push_back(
      Pack({record.reachable, record.refused, record.shaken, record.fence_under_way,
            record.fence_under_way && counts, IsDue(record.next_fence), record.status_under_way,
            record.status_under_way && record.idle_at_status,
            record.status_under_way && record.rounds_sent_at_status == record.rounds_sent,
            record.status_under_way && record.last_heard > record.status_sent,
            IsDue(record.next_status), record.delivery_under_way, IsDue(record.next_delivery)}));
  words->push_back(record.shaken ? record.boot_id : 0);
  words->push_back(static_cast<uint64_t>(record.branch_time / absl::Nanoseconds(1)));
  for (const RoundId round : {record.in_doubt, record.durable, record.recorded_durable,
                              record.least_round, record.last_round_sent}) {
    Append(round, words);
  }
  Append(record.fence_under_way ? record.durable_at_fence : RoundId(), words);
  Append(record.fence_under_way ? record.least_round_at_fence : RoundId(), words);
  words->push_back(record.fence_under_way ? record.heard_since_fence : 0);
  words->push_back(record.kept.size());
  for (const KeptHere& kept : record.kept) {
    Append(kept.round, words);
    words->push_back(kept.cut);
  }
  Append(record.round == kNoRound ? RoundId() : rounds_[record.round].id, words);
  words->push_back(record.outbox.size());
  for (const Delivery& delivery : record.outbox) {
    Append(delivery.round, words);
    words->push_back(uint64_t{delivery.cut} << 1 | uint64_t{delivery.commit});
  }
}

void Core::AppendRound(const Round& round, std::vector<uint64_t>* words) const {
  Append(round.id, words);
  words->push_back(static_cast<uint64_t>(round.phase));
  words->push_back(Pack({IsDue(round.vote_deadline)}));
  words->push_back(round.transactions.size());
  uint32_t member = 0;
  for (size_t t = 0; t < round.transactions.size(); ++t) {
    words->push_back(queue_.at(round.transactions[t]).handle);
    words->push_back(round.ballot.member_end[t] - member);
    for (; member < round.ballot.member_end[t]; ++member) {
      words->push_back(round.participants[round.ballot.members[member]]);
    }
  }
  for (Place place = 0; place < round.participants.size(); ++place) {
    const Ballot::Participant& ballot = round.ballot.participants[place];
    words->push_back(Pack({round.answered[place], round.holds[place], ballot.missing}));
    if (!round.answered[place] || ballot.missing) continue;
    for (const Vote& vote : ballot.votes) {
      words->push_back(static_cast<uint64_t>(vote.kind) << 1 | uint64_t{vote.vetoed});
      words->push_back(vote.digest);
    }
  }
}

void Core::AppendState(std::vector<uint64_t>* words) const {
  words->push_back(term_);
  words->push_back(next_number_);
  words->push_back(Pack({dead_, shutting_down_, idle_said_}));
  for (const ParticipantRecord& participant : participants_) AppendParticipant(participant, words);

  std::vector<Slot> waiting;
  queue_.CollectWaiting(&waiting);
  words->push_back(waiting.size());
  for (const Slot slot : waiting) {
    const Transaction& transaction = queue_.at(slot);
    words->push_back(transaction.handle);
    words->push_back(transaction.bytes << 1 | uint64_t{transaction.was_sent});
    words->push_back(transaction.participants.size());
    words->insert(words->end(), transaction.participants.begin(), transaction.participants.end());
  }

  std::vector<const Round*> rounds;
  for (const Round& round : rounds_) {
    if (round.phase != Round::Phase::kUnused) rounds.push_back(&round);
  }
  std::sort(rounds.begin(), rounds.end(),
            [](const Round* a, const Round* b) { return a->id < b->id; });
  words->push_back(rounds.size());
  for (const Round* round : rounds) AppendRound(*round, words);

  // By age: what is deferred goes back to its old place.
  std::vector<Slot> open = std::move(waiting);
  for (const Round* round : rounds) {
    const bool logging = round->phase == Round::Phase::kLogging;
    if (config_.broken.answer_before_durable && logging) continue;
    open.insert(open.end(), round->transactions.begin(), round->transactions.end());
  }
  std::sort(open.begin(), open.end(),
            [this](Slot a, Slot b) { return queue_.at(a).sequence < queue_.at(b).sequence; });
  for (const Slot slot : open) words->push_back(queue_.at(slot).handle);
}

}  // namespace lockstep::coordinator
