// Rates, lanes, admission, refusals and the head of an answer: the parts of a server without I/O.
#include "libhsmops/net/admission.h"

#include <doctest/doctest.h>

#include <atomic>
#include <semaphore>

#include "libhsmops/net/http_message.h"
#include "libhsmops/net/lane.h"
#include "libhsmops/net/refusals.h"

namespace hsmops::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

TEST_CASE("a bucket lets a burst through and then the rate") {
  RateLimiter limiter({2, 3}, 10);
  base::TimePoint now{seconds(100)};
  for (int i = 0; i < 3; ++i) CHECK_FALSE(limiter.Take("a", now));
  CHECK(limiter.Take("a", now) == base::Duration(milliseconds(500)));
  CHECK(limiter.Take("a", now + milliseconds(400)) == base::Duration(milliseconds(100)));
  CHECK_FALSE(limiter.Take("b", now));
  now = now + milliseconds(500);
  CHECK_FALSE(limiter.Take("a", now));
  CHECK(limiter.Take("a", now).has_value());
  now = now + seconds(3600);
  for (int i = 0; i < 3; ++i) CHECK_FALSE(limiter.Take("a", now));
  CHECK(limiter.Take("a", now).has_value());
}

TEST_CASE("a rate limiter remembers only so many, and those with debts before others") {
  RateLimiter limiter({1, 1}, 2);
  const base::TimePoint now{seconds(100)};
  CHECK_FALSE(limiter.Take("a", now));
  CHECK_FALSE(limiter.Take("b", now));
  CHECK(limiter.Take("c", now).has_value());
  CHECK_FALSE(limiter.Take("c", now + seconds(1)));
}

TEST_CASE("a lane takes what its threads and its queue hold, and no more") {
  std::binary_semaphore started{0};
  std::binary_semaphore go{0};
  std::atomic<int> ran{0};
  Lane lane({"work", 1, 2});
  REQUIRE(lane.Offer([&] {
    started.release();
    go.acquire();
    ++ran;
  }));
  started.acquire();
  CHECK(lane.Offer([&] { ++ran; }));
  CHECK_FALSE(lane.full());
  CHECK(lane.Offer([&] { ++ran; }));
  CHECK(lane.full());
  CHECK_FALSE(lane.Offer([&] { ++ran; }));
  std::thread stopping([&] { lane.Stop(); });
  while (lane.Offer([&] { ++ran; })) std::this_thread::yield();
  go.release();
  stopping.join();
  CHECK(ran >= 1);
  CHECK(ran <= 3);
  CHECK_FALSE(lane.Offer([&] { ++ran; }));
}

TEST_CASE("a lane without a queue takes what an idle thread takes") {
  std::binary_semaphore started{0};
  std::binary_semaphore go{0};
  Lane lane({"work", 1, 0});
  REQUIRE(lane.Offer([&] {
    started.release();
    go.acquire();
  }));
  started.acquire();
  CHECK_FALSE(lane.Offer([] {}));
  go.release();
}

TEST_CASE("admission counts connections, handshakes, identities and bytes") {
  base::ManualClock clock;
  Admission admission({3, 2, 1, 100, {}, 10}, clock);
  CHECK(admission.OpenConnection());
  CHECK(admission.OpenConnection());
  CHECK_FALSE(admission.OpenConnection());  // two handshakes
  admission.EndHandshake();
  CHECK(admission.OpenConnection());
  admission.EndHandshake();
  CHECK_FALSE(admission.OpenConnection());  // three connections
  CHECK(admission.connections() == 3);
  admission.CloseConnection();
  CHECK(admission.OpenConnection());

  CHECK(admission.AddConnectionOf("a"));
  CHECK_FALSE(admission.AddConnectionOf("a"));
  CHECK(admission.AddConnectionOf("b"));
  admission.RemoveConnectionOf("a");
  CHECK(admission.AddConnectionOf("a"));

  CHECK(admission.TakeBytes(60));
  CHECK_FALSE(admission.TakeBytes(41));
  CHECK_FALSE(admission.TakeBytes(SIZE_MAX));
  CHECK(admission.TakeBytes(40));
  admission.GiveBytes(60);
  CHECK(admission.TakeBytes(60));
}

TEST_CASE("refusals are counted always and told once a minute for each kind and peer") {
  base::ManualClock clock;
  std::vector<std::string> lines;
  Refusals refusals(clock, [&](const std::string& line) { lines.push_back(line); });
  refusals.Note(Refusal::kRate, "a", "too often");
  refusals.Note(Refusal::kRate, "a", "too often");
  refusals.Note(Refusal::kRate, "b", "too often");
  refusals.Note(Refusal::kBusy, "a", "busy");
  CHECK(refusals.count(Refusal::kRate) == 3);
  CHECK(refusals.count(Refusal::kBusy) == 1);
  CHECK(lines == std::vector<std::string>{"refused a: rate: too often",
                                          "refused b: rate: too often", "refused a: busy: busy"});
  lines.clear();
  clock.Advance(seconds(60));
  refusals.Note(Refusal::kRate, "a", "too often");
  CHECK(lines ==
        std::vector<std::string>{"refused a: rate: too often (1 more since the last line)"});
}

TEST_CASE("handshakes of one address that are refused for two reasons are told both") {
  base::ManualClock clock;
  std::vector<std::string> lines;
  Refusals refusals(clock, [&](const std::string& line) { lines.push_back(line); });
  for (int i = 0; i < 3; ++i) {
    refusals.Note(Refusal::kHandshake, "10.0.0.7", "no certificate");
    refusals.Note(Refusal::kHandshake, "10.0.0.7", "it is of another pool");
  }
  CHECK(lines == std::vector<std::string>{"refused 10.0.0.7: handshake: no certificate",
                                          "refused 10.0.0.7: handshake: it is of another pool"});
}

TEST_CASE("thousands of peers do not make thousands of lines") {
  base::ManualClock clock;
  std::size_t lines = 0;
  Refusals refusals(clock, [&](const std::string&) { ++lines; });
  for (int i = 0; i < 5000; ++i)
    refusals.Note(Refusal::kHandshake, std::to_string(i), "no certificate");
  CHECK(refusals.count(Refusal::kHandshake) == 5000);
  CHECK(lines == kMaxRefusalPeers + 1);
}

TEST_CASE("every kind of refusal has a name of its own") {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < kRefusals; ++i) {
    const auto name = Name(static_cast<Refusal>(i));
    CHECK_FALSE(name.empty());
    CHECK(std::find(names.begin(), names.end(), name) == names.end());
    names.push_back(name);
  }
}

TEST_CASE("the head of an answer holds what it should and no more lines than that") {
  Reply reply = PlainReply(503, "busy", milliseconds(1200));
  reply.headers["X-Note"] = "a\r\nSet-Cookie: b";
  const std::string head = EncodeHead(reply, false);
  CHECK(head ==
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 5\r\nRetry-After: 2\r\nX-Note: a  Set-Cookie: b\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n");
  CHECK(EncodeHead(Reply{204, "", {}, {}, {}}, true) ==
        "HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\nConnection: keep-alive\r\n\r\n");
}

}  // namespace hsmops::net
