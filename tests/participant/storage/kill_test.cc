// A process that is killed at work, again and again, on real files (P8).
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>

#include "tests/participant/storage/store_fixture.h"

namespace lockstep::participant {
namespace {

// The killed process tells its coordinator, the parent, what it did; the pipe keeps it.
struct Message {
  enum class Kind : int64_t { kDecided, kAborted, kDurable };
  Kind kind = Kind::kDecided;
  int64_t round = 0;
};

class KillTest : public StoreFixture {
 protected:
  // In the child: rounds without end, each inserting its number.
  void Work(int pipe, std::mt19937_64& random) {
    const auto tell = [pipe](Message::Kind kind, RoundId round) {
      const Message message{.kind = kind, .round = round.value()};
      if (write(pipe, &message, sizeof(message)) != sizeof(message)) _exit(3);
    };
    for (RoundId round = next_round_;; round = Round(round.number() + 1)) {
      const std::string insert = "INSERT INTO t VALUES (" + std::to_string(round.number()) +
                                 ", zeroblob(" + std::to_string(random() % 20000) + "))";
      if (!Prepare(round, insert).ok()) _exit(2);
      tell(Message::Kind::kDurable, store_->durable());
      if (random() % 3 == 0) {
        tell(Message::Kind::kAborted, round);
        if (!RollBack(round).ok()) _exit(2);
      } else {
        tell(Message::Kind::kDecided, round);
        if (!store_->Commit().ok()) _exit(2);
      }
      if (random() % 8 == 0 && !store_->Checkpoint().ok()) _exit(2);
    }
  }

  void RunAndKill(std::mt19937_64& random) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    store_.reset();
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(ends[0]);
      if (!Open().ok()) _exit(4);
      // Nothing has overwritten the masked frame of a round that was rolled back: in doubt again.
      if (store_->held() && !store_->Forget().ok()) _exit(4);
      Work(ends[1], random);
    }
    close(ends[1]);
    Message message;
    for (uint64_t left = 1 + random() % 12; left > 0; --left) {
      ASSERT_EQ(read(ends[0], &message, sizeof(message)), ssize_t{sizeof(message)});
      Note(message);
    }
    kill(child, SIGKILL);
    // What it managed to say before it died counts too.
    while (read(ends[0], &message, sizeof(message)) == sizeof(message)) Note(message);
    close(ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
  }

  void Note(const Message& message) {
    const RoundId round = RoundId::FromValue(message.round);
    if (message.kind == Message::Kind::kDurable) {
      durable_ = std::max(durable_, round);
      return;
    }
    next_round_ = Round(round.number() + 1);
    if (message.kind == Message::Kind::kDecided) {
      decided_ = round;
      ++committed_;
    }
  }

  void ResolveAndCheck() {
    LOCKSTEP_ASSERT_OK(Open());
    EXPECT_GE(store_->durable(), durable_);
    if (store_->held()) {
      const RoundId round = store_->held()->round;
      // A kill between the frames and the record of a Prepare leaves the mask alone (P8), and then
      // no vote was given (R5): the process told of nothing that it had not prepared.
      EXPECT_TRUE(store_->held()->has_record || round >= next_round_);
      next_round_ = std::max(next_round_, Round(round.number() + 1));
      if (round == decided_) {
        LOCKSTEP_ASSERT_OK(store_->CommitInDoubt());
        ++committed_in_doubt_;
      } else {
        LOCKSTEP_ASSERT_OK(RollBack(round));
      }
    }
    EXPECT_EQ(store_->applied(), decided_);
    EXPECT_EQ(Seen(), committed_);
    EXPECT_EQ(Seen("SELECT max(k) FROM t"), static_cast<int64_t>(decided_.number()));
  }

  RoundId next_round_ = Round(1);
  RoundId decided_;
  RoundId durable_;
  int64_t committed_ = 0;
  int64_t committed_in_doubt_ = 0;
};

TEST_F(KillTest, NoKillLosesADecidedRoundOrKeepsAnother) {
  constexpr uint64_t kSeed = 7;
  std::cout << "seed " << kSeed << "\n";
  std::mt19937_64 random(kSeed);
  OpenWithTable();
  LOCKSTEP_ASSERT_OK(Commit(Round(1), "INSERT INTO t VALUES (1, 'a')"));
  Note({.kind = Message::Kind::kDecided, .round = Round(1).value()});
  for (int i = 0; i < 40 && !HasFailure(); ++i) {
    RunAndKill(random);
    if (!HasFailure()) ResolveAndCheck();
  }
  std::cout << committed_ << " rounds committed, " << committed_in_doubt_ << " after a kill\n";
}

}  // namespace
}  // namespace lockstep::participant
