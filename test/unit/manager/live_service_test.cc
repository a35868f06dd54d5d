// LiveService: who is asked, how often, and what is said of a write whose answer was lost.
#include "libhsmops/manager/live_service.h"

#include <doctest/doctest.h>

#include "libhsmops/agent/message.h"

namespace hsmops::test {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using mirror::Acknowledged;
using std::chrono::seconds;

using Told = Result<std::vector<Result<Acknowledged>>>;

// A network in which each manager answers what it is told to, one after the other.
class Answering : public net::Transport {
 public:
  explicit Answering(base::ManualClock& clock) : clock_(clock) {}

  Result<net::Answer> Call(const net::Peer& peer, net::Request request) override {
    clock_.Advance(seconds(1));
    if (request.path.ends_with("stamp")) {
      ++stamps;
      return Encoded(Result<mirror::Stamp>(mirror::Stamp{7, seconds(1)}));
    }
    puts.emplace_back(peer.url,
                      std::string(request.body.view().begin(), request.body.view().end()));
    auto& next = answers[peer.url];
    if (next.empty()) return Error(ErrorCode::kUnavailable, "refused");
    const Told told = next.front();
    next.erase(next.begin());
    if (told.Is(ErrorCode::kInDoubt)) return told.error();  // the connection broke
    return Encoded(told);
  }

  std::map<std::string, std::vector<Told>> answers;
  std::vector<std::pair<std::string, std::string>> puts;
  int stamps = 0;

 private:
  template <typename T>
  static net::Answer Encoded(const T& value) {
    agent::Out out;
    out(value);
    net::Answer answer;
    answer.status = 200;
    answer.content_type = manager::kLiveContentType;
    answer.body = std::move(out).Take();
    return answer;
  }

  base::ManualClock& clock_;
};

Told Done(bool repeated) {
  std::vector<Result<Acknowledged>> all;
  all.emplace_back(Acknowledged{{{1, 2}, 3}, {"a"}, repeated});
  return all;
}
Told Lost() { return Error(ErrorCode::kInDoubt, "the answer was lost"); }
Told Refused(ErrorCode code) { return Error(code, "no"); }

struct Service {
  base::ManualClock clock;
  Answering network{clock};
  manager::LiveService live{network,
                            clock,
                            {"pool", {{"m1", "https://m1"}, {"m2", "https://m2"}}, "default", "d"},
                            clock.Now() + seconds(30)};

  Result<Acknowledged> Put() {
    std::vector<store::Write> writes;
    writes.push_back({.name = *store::SecretName::Parse("app")});
    writes.front().keys.emplace("k", base::SecretBytes::FromText("v"));
    writes.front().op_id = {1, 2, 3};
    auto results = live.Put(std::move(writes), nullptr);
    REQUIRE(results.size() == 1);
    return std::move(results.front());
  }
};

}  // namespace

TEST_CASE("the next manager is asked when one does not answer") {
  Service to;
  to.network.answers["https://m2"] = {Done(false)};
  const auto done = to.Put();
  REQUIRE(done.ok());
  CHECK(to.network.puts.size() == 2);
}

TEST_CASE("a write whose answer was lost is sent again as the very same, and was done once") {
  Service to;
  to.network.answers["https://m1"] = {Lost(), Refused(ErrorCode::kReadOnly)};
  to.network.answers["https://m2"] = {Lost(), Done(true)};
  const auto done = to.Put();
  REQUIRE(done.ok());
  CHECK(!done->repeated);  // by nobody but this command
  REQUIRE(to.network.puts.size() == 4);
  for (const auto& [url, body] : to.network.puts) CHECK(body == to.network.puts.front().second);
  CHECK(to.network.stamps == 1);
}

TEST_CASE("what surely was not done is no doubt, and what may have been is never a refusal") {
  for (const ErrorCode code : {ErrorCode::kUnavailable, ErrorCode::kReadOnly}) {
    Service to;
    to.network.answers["https://m1"] = {Refused(code)};
    to.network.answers["https://m2"] = {Refused(code)};
    CHECK(to.Put().Is(code));
    CHECK(to.network.puts.size() == 2);
  }
  Service late;
  late.network.answers["https://m1"] = {Lost()};
  late.network.answers["https://m2"] = {Refused(ErrorCode::kConflict)};
  CHECK(late.Put().Is(ErrorCode::kInDoubt));
  CHECK(late.network.puts.size() == 2);
  Service silent;  // from then on nobody answers
  silent.network.answers["https://m1"] = {Lost()};
  const base::TimePoint asked = silent.clock.Now();
  CHECK(silent.Put().Is(ErrorCode::kInDoubt));
  CHECK(silent.clock.Now() - asked >= seconds(29));
}

}  // namespace hsmops::test
