// Two processes that write to one cluster at the same time: each is answered, by a version or by
// an honest refusal, and what was acknowledged is there.
#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "test/support/process.h"
#include "test/support/temp_folder.h"

namespace {

using hsmops::test::CliPath;
using hsmops::test::Ended;
using hsmops::test::Process;
using hsmops::test::TempFolder;

constexpr int kRounds = 6;

std::vector<std::string> Words(const TempFolder& folder, std::vector<std::string> words) {
  words.insert(words.begin(), {CliPath(), "--local", folder / "c"});
  return words;
}

Ended Hsm(const TempFolder& folder, std::vector<std::string> words) {
  return hsmops::test::Run(Words(folder, std::move(words)));
}

// "3.14" of "app written, version 3.14 on a, b".
std::string VersionIn(const std::string& out) {
  const std::string before = "version ";
  const std::size_t at = out.find(before);
  REQUIRE_MESSAGE(at != std::string::npos, out);
  const std::size_t start = at + before.size();
  return out.substr(start, out.find(' ', start) - start);
}

}  // namespace

TEST_CASE(
    "two processes that write at once each get an answer, and no acknowledged value is lost") {
  TempFolder folder;
  REQUIRE(Hsm(folder, {"init", "--nodes", "a,b"}).code == 0);
  std::set<std::string> versions;
  std::size_t acknowledged = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::string number = std::to_string(round);
    std::vector<std::unique_ptr<Process>> writers;
    std::vector<std::string> values;
    std::vector<std::string> names;
    for (const std::string writer : {"one", "two"}) {
      // The same name in every other round.
      names.push_back(round % 2 == 0 ? "shared" : "own/" + writer + "-" + number);
      values.push_back(writer + "-" + number);
      const std::string file = folder / values.back();
      hsmops::test::WriteText(file, values.back());
      writers.push_back(std::make_unique<Process>(
          Words(folder, {"put", names.back(), "--from-file", "k=" + file})));
    }
    std::set<std::string> allowed;
    for (std::size_t i = 0; i < writers.size(); ++i) {
      const Ended ended = writers[i]->Wait();
      if (ended.code != 0) {
        CHECK_MESSAGE(ended.err.find("in use") != std::string::npos, ended.err);
        continue;
      }
      ++acknowledged;
      versions.insert(VersionIn(ended.out));
      allowed.insert(values[i]);
      if (round % 2 != 0)
        CHECK(Hsm(folder, {"get", names[i], "--key", "k", "--raw"}).out == values[i]);
    }
    if (round % 2 == 0 && !allowed.empty())
      CHECK(allowed.contains(Hsm(folder, {"get", "shared", "--key", "k", "--raw"}).out));
  }
  CHECK(acknowledged >= kRounds);
  CHECK(versions.size() == acknowledged);  // no version was given out twice
  CHECK(Hsm(folder, {"diff", "a", "b"}).code == 0);
}
