// The fault module does what its plan says, and records it; on real SoftHSM tokens.
#include <doctest/doctest.h>

#include <csignal>

#include "test/support/fault_plan.h"
#include "test/support/process.h"
#include "test/support/softhsm_tokens.h"

namespace hsmops::test {
namespace {

// A token, a plan that the module finds beside its softhsm2.conf, and a program that uses both.
struct Rig {
  SoftHsmTokens tokens;
  SoftHsmToken& token = tokens.Add("rig");
  FaultPlan plan{token.conf() + ".faults"};

  Ended Drive(std::vector<std::string> words, std::map<std::string, std::string> env = {}) {
    std::vector<std::string> argv{ProgramPath("fault_driver"), FaultModulePath(), token.pin_path()};
    argv.insert(argv.end(), words.begin(), words.end());
    env["SOFTHSM2_CONF"] = token.conf();
    return Run(argv, {.env = env});
  }
  // What is on the token, seen without faults.
  std::string Truth(const std::string& word) {
    std::vector<std::string> argv{ProgramPath("fault_driver"), kSoftHsmModule, token.pin_path(),
                                  word};
    return Run(argv, {.env = {{"SOFTHSM2_CONF", token.conf()}}}).out;
  }
};

}  // namespace

TEST_CASE("without a plan the fault module only forwards, with one it counts") {
  Rig rig;
  CHECK(rig.Drive({"create=a:one", "read=a", "ask=a", "list=5"}).out ==
        "created\na=one\na=one\n1 objects\n");
  CHECK(rig.plan.calls("C_CreateObject") == 1);
  CHECK(rig.plan.calls("C_GetAttributeValue") == 3);
  CHECK(rig.plan.value_reads() == 2);
  CHECK(rig.plan.calls() > 15);
  CHECK(rig.plan.fired().empty());
}

TEST_CASE("fail-before has no effect and fail-after has one, and both answer the rv of the plan") {
  Rig rig;
  rig.plan.Set("call=1 mode=fail-before function=C_CreateObject rv=0x32");
  CHECK(rig.Drive({"create=a:one"}).out == "C_CreateObject 0x32\n");
  CHECK(rig.Truth("read=a") == "absent\n");
  CHECK(rig.plan.fired().size() == 1);

  rig.plan.Set("call=1 mode=fail-after function=C_CreateObject  # rv is CKR_DEVICE_ERROR");
  CHECK(rig.Drive({"create=a:one"}).out == "C_CreateObject 0x30\n");
  CHECK(rig.Truth("read=a") == "a=one\n");
  CHECK(rig.plan.fired().size() == 1);
}

TEST_CASE("die-before and die-after end the process by SIGKILL at the call") {
  Rig rig;
  rig.plan.Set("call=1 mode=die-before function=C_CreateObject");
  CHECK(rig.Drive({"create=a:one"}).signal == SIGKILL);
  CHECK(rig.Truth("read=a") == "absent\n");

  rig.plan.Set("call=1 mode=die-after function=C_CreateObject");
  CHECK(rig.Drive({"create=a:one"}).signal == SIGKILL);
  CHECK(rig.Truth("read=a") == "a=one\n");
  CHECK(rig.plan.fired().size() == 1);
}

TEST_CASE("hang sleeps until it is killed, hang-after when the call has had its effect") {
  Rig rig;
  for (const std::string mode : {"hang", "hang-after"}) {
    rig.plan.Set("call=1 mode=" + mode + " function=C_CreateObject");
    Process hung({ProgramPath("fault_driver"), FaultModulePath(), rig.token.pin_path(), "list=5",
                  "create=a:one"},
                 {.env = {{"SOFTHSM2_CONF", rig.token.conf()}}});
    REQUIRE(hung.WaitFor("0 objects"));
    CHECK(hung.Wait(std::chrono::milliseconds(200)).timed_out);
    CHECK(rig.plan.fired().size() == 1);
    CHECK(rig.Truth("read=a") == (mode == "hang" ? "absent\n" : "a=one\n"));
  }
}

TEST_CASE("calls are counted over processes, so a restarted one does not meet the fault again") {
  Rig rig;
  rig.plan.Set("call=2 mode=die-after function=C_CreateObject");
  CHECK(rig.Drive({"create=a:one"}).code == 0);
  CHECK(rig.Drive({"create=b:two"}).signal == SIGKILL);
  CHECK(rig.Drive({"create=c:three"}).code == 0);
  CHECK(rig.Truth("list=9") == "3 objects\n");
  CHECK(rig.plan.calls("C_CreateObject") == 3);
}

TEST_CASE("every k up to the last call fires, and the one after it does not") {
  Rig rig;
  std::uint64_t k = 1;
  for (;; ++k) {
    rig.plan.Set("call=" + std::to_string(k) + " mode=die-before");
    const Ended run = rig.Drive({"read=a"});
    if (rig.plan.fired().empty()) {
      CHECK(run.code == 0);
      break;
    }
    CHECK(run.signal == SIGKILL);
  }
  CHECK(k == rig.plan.calls() + 1);
  CHECK(k > 8);
}

TEST_CASE("several faults and several times") {
  Rig rig;
  rig.plan.Set(
      "call=1 mode=fail-before function=C_CreateObject times=2\n"
      "call=4 mode=fail-before function=C_CreateObject times=0 rv=0x5");
  CHECK(rig.Drive({"create=a:1", "create=a:1", "create=a:1", "create=a:1", "create=a:1"}).out ==
        "C_CreateObject 0x30\nC_CreateObject 0x30\ncreated\nC_CreateObject 0x5\nC_CreateObject "
        "0x5\n");
  CHECK(rig.plan.fired().size() == 4);
}

TEST_CASE("a full token refuses every create from then on and nothing else") {
  Rig rig;
  rig.plan.Set("call=2 mode=full");
  CHECK(rig.Drive({"create=a:1", "create=b:2", "create=c:3", "destroy=a", "create=d:4"}).out ==
        "created\nC_CreateObject 0x31\nC_CreateObject 0x31\ndestroyed\nC_CreateObject 0x31\n");
}

TEST_CASE("wrong answers: truncated, flipped, empty") {
  Rig rig;
  REQUIRE(rig.Drive({"create=a:value"}).code == 0);
  const auto said = [&](const std::string& plan) {
    rig.plan.Set(plan);
    return rig.Drive({"read=a", "read=a"}).out;
  };
  CHECK(said("call=1 mode=truncate") == "a=valu\na=value\n");
  CHECK(said("call=2 mode=truncate arg=3") == "a=value\na=va\n");
  CHECK(said("call=1 mode=flip") == "a=walue\na=value\n");
  CHECK(said("call=1 mode=flip arg=33") == "a=valug\na=value\n");
  CHECK(said("call=1 mode=empty") == "a=\na=value\n");
  CHECK(rig.plan.fired(true).size() == 1);
  CHECK(rig.Truth("read=a") == "a=value\n");
}

TEST_CASE("wrong answers: the value grew between the question for its length and the read") {
  Rig rig;
  REQUIRE(rig.Drive({"create=a:value"}).code == 0);
  rig.plan.Set("call=1 mode=grow");
  CHECK(rig.Drive({"ask=a"}).out == "C_GetAttributeValue 0x150\n");  // CKR_BUFFER_TOO_SMALL
  rig.plan.Set("call=1 mode=grow");
  CHECK(rig.Drive({"read=a", "read=a"}).out == "C_GetAttributeValue 0x150\na=value\n");
}

TEST_CASE("wrong answers: the value shrank between the question for its length and the read") {
  Rig rig;
  REQUIRE(rig.Drive({"create=a:value"}).code == 0);
  rig.plan.Set("call=1 mode=shrink arg=3");
  CHECK(rig.Drive({"ask=a"}).out == "a=value\n");  // asked for eight bytes, read five
  CHECK(rig.plan.fired(true).size() == 1);
  rig.plan.Set("call=1 mode=shrink");
  CHECK(rig.Drive({"read=a"}).out == "a=value\n");
  CHECK(rig.plan.fired(true).empty());
}

TEST_CASE("wrong answers: a page that is not the last has fewer objects than were asked for") {
  Rig rig;
  REQUIRE(rig.Drive({"create=a:1", "create=b:2", "create=c:3", "create=d:4"}).code == 0);
  rig.plan.Set("call=1 mode=page");
  CHECK(rig.Drive({"list=4"}).out == "4 objects\n");
  CHECK(rig.plan.calls("C_FindObjects") == 3);  // 2, 2, none
  CHECK(rig.plan.fired(true).size() == 1);
}

TEST_CASE("wrong answers: a listing and a value as they were") {
  Rig rig;
  rig.plan.Set("call=3 mode=stale function=C_FindObjects times=0");
  CHECK(rig.Drive({"create=a:1", "list=9", "create=b:2", "list=9", "again", "list=9"}).out ==
        "created\n1 objects\ncreated\n1 objects\n2 objects\n");
  rig.plan.Set("call=1 mode=stale");
  CHECK(rig.Drive({"read=a"}).out == "a=1\n");
  CHECK(rig.plan.fired().size() == 1);
  CHECK(rig.plan.fired(true).empty());  // nothing older was there to answer
}

TEST_CASE("the trace has the function and the rv of every call, never an argument") {
  Rig rig;
  const std::string trace = rig.tokens.folder() + "/trace";
  REQUIRE(rig.Drive({"create=label:marker"}, {{"KHSM_FAULT_TRACE", trace}}).code == 0);
  const std::string text = ReadText(trace);
  CHECK(text.find(" C_CreateObject 0x0\n") != std::string::npos);
  CHECK(text.find("marker") == std::string::npos);
  CHECK(text.find("648219") == std::string::npos);
}

TEST_CASE("a token vanishes and returns") {
  Rig rig;
  REQUIRE(rig.Drive({"create=a:1"}).code == 0);
  rig.token.Vanish();
  CHECK(rig.Drive({"read=a"}).out == "no token\n");
  rig.token.Return();
  CHECK(rig.Drive({"read=a"}).out == "a=1\n");
}

}  // namespace hsmops::test
