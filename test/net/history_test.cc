// The checker of the histories, shown by made ones: it finds each kind of contradiction, and none
// where there is none.
#include "test/net/history.h"

#include <doctest/doctest.h>

namespace hsmops::test {
namespace {

using Outcome = Attempt::Outcome;

base::TimePoint AtSecond(int second) { return {std::chrono::seconds(second)}; }

Attempt Wrote(std::string value, int asked, int told, std::uint64_t epoch, std::uint64_t lsn) {
  return {.client = "client",
          .name = "app",
          .value = std::move(value),
          .outcome = Outcome::kAcknowledged,
          .asked = AtSecond(asked),
          .told = AtSecond(told),
          .version = {{epoch, 77}, lsn}};
}

Attempt WasRead(std::string value, int asked, int told, std::uint64_t epoch, std::uint64_t lsn) {
  Attempt attempt = Wrote(std::move(value), asked, told, epoch, lsn);
  attempt.outcome = Outcome::kRead;
  return attempt;
}

bool Finds(const std::vector<Attempt>& attempts, const std::string& what) {
  const auto found = Contradictions(attempts);
  return !found.empty() && found.front().find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("a history that can be has no contradiction") {
  CHECK(Contradictions({}).empty());
  // Two writes at once may have either order, and a read beside a write either value.
  CHECK(Contradictions({Wrote("b", 1, 5, 1, 2), Wrote("a", 2, 4, 1, 1), WasRead("a", 3, 4, 1, 1),
                        WasRead("b", 6, 7, 1, 2), Wrote("c", 8, 9, 2, 3)})
            .empty());
  // Found again: the version is that of a write that came after it.
  Attempt again = Wrote("a", 1, 9, 1, 2);
  again.repeated = true;
  CHECK(Contradictions({again, Wrote("b", 2, 4, 1, 2), WasRead("b", 10, 11, 1, 2)}).empty());
}

TEST_CASE("a write acknowledged later has a newer version") {
  CHECK(Finds({Wrote("b", 1, 2, 1, 2), Wrote("a", 3, 4, 1, 1)}, "but before"));
  CHECK(Finds({Wrote("a", 1, 2, 1, 1), Wrote("b", 3, 4, 1, 1)}, "but before"));
}

TEST_CASE("a read of the Primary is never older than what was acknowledged or read before") {
  CHECK(Finds({Wrote("a", 1, 2, 1, 1), Wrote("b", 3, 4, 1, 2), WasRead("a", 5, 6, 1, 1)},
              "client read app as 1.1"));
  Attempt maybe = Wrote("b", 3, 4, 1, 2);
  maybe.outcome = Outcome::kMaybe;
  CHECK(Finds({Wrote("a", 1, 2, 1, 1), maybe, WasRead("b", 5, 6, 1, 2), WasRead("a", 7, 8, 1, 1)},
              "client read app as 1.1"));
  CHECK(Finds({Wrote("a", 1, 2, 1, 1), WasRead("", 3, 4, 0, 0)}, "client read app as 0.0"));
}

TEST_CASE("after an acknowledgement of an epoch none comes of a lower one, whatever the name") {
  Attempt other = Wrote("b", 3, 4, 1, 9);
  other.name = "web";
  CHECK(Finds({Wrote("a", 1, 2, 2, 1), other}, "in a lower epoch"));
}

TEST_CASE("one version is one write's") {
  Attempt other = Wrote("b", 1, 2, 1, 1);
  other.name = "web";
  CHECK(Finds({Wrote("a", 1, 2, 1, 1), other}, "and so"));
}

TEST_CASE("what is read was written, and not refused") {
  CHECK(Finds({WasRead("a", 1, 2, 1, 1)}, "nobody wrote"));
  Attempt refused = Wrote("a", 1, 2, 0, 0);
  refused.outcome = Outcome::kRefused;
  CHECK(Finds({refused, WasRead("a", 3, 4, 1, 1)}, "was refused"));
  CHECK(Finds({Wrote("a", 1, 9, 1, 1), WasRead("a", 3, 4, 1, 2)}, "but client wrote"));
}

TEST_CASE("what is acknowledged and missing in the end is found") {
  const auto floor = Floor({Wrote("a", 1, 2, 1, 1), Wrote("b", 3, 4, 1, 5)});
  CHECK(Missing(floor, {{"app", {{1, 77}, 5}}}).empty());
  CHECK(Missing(floor, {{"app", {{2, 1}, 6}}}).empty());
  CHECK(Missing(floor, {{"app", {{1, 77}, 4}}}).size() == 1);
  CHECK(Missing(floor, {}).size() == 1);
}

}  // namespace hsmops::test
