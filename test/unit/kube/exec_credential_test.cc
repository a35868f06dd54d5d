#include "libhsmops/kube/exec_credential.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "libhsmops/kube/user_auth.h"
#include "test/support/temp_folder.h"
#include "test/support/text.h"

namespace hsmops::kube {

using test::Holds;
namespace {

using base::ErrorCode;
using base::Result;

constexpr const char* kV1 = "client.authentication.k8s.io/v1";

std::string TextOf(const base::SecretBytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A plugin that is a shell script of these lines.
struct Plugin {
  test::TempFolder folder;
  base::SystemClock clock;
  Environment environment{{"PATH", "/usr/bin:/bin"}};
  Cluster cluster;
  ExecConfig config;
  bool terminal = false;

  explicit Plugin(const std::string& lines) {
    config.api_version = kV1;
    config.command = folder / "plugin";
    test::WriteText(config.command, "#!/bin/sh\n" + lines + "\n");
    std::filesystem::permissions(config.command, std::filesystem::perms::owner_all);
  }
  Result<ExecCredential> Run(std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    return RunExec(config, cluster, {environment, terminal, clock}, clock.Now() + limit);
  }
};

std::string Answer(const std::string& status, const std::string& version = kV1) {
  return fmt::format(R"(echo '{{"apiVersion":"{}","kind":"ExecCredential","status":{{{}}}}}')",
                     version, status);
}

}  // namespace

TEST_CASE("exec: a token, with its end") {
  Plugin plugin(Answer(R"("token":"t-1","expirationTimestamp":"2030-01-02T03:04:05Z")"));
  const auto credential = plugin.Run();
  REQUIRE_MESSAGE(credential.ok(), credential.error().message());
  CHECK(TextOf(credential->token) == "t-1");
  CHECK(credential->expires == *base::ParseTime("2030-01-02T03:04:05Z"));
}

TEST_CASE("exec: its arguments, its variables and what it is told of the cluster") {
  Plugin plugin(fmt::format(
      "printf %s \"$KUBERNETES_EXEC_INFO\" > \"$OUT\"\n[ \"$1\" = --for ] || exit 9\n{}",
      Answer(R"("token":"t")")));
  plugin.config.args = {"--for", "me"};
  plugin.config.env = {{"OUT", plugin.folder / "info"}};
  plugin.config.provide_cluster_info = true;
  plugin.cluster.server = "https://api";
  plugin.cluster.tls_server_name = "kubernetes";
  plugin.cluster.certificate_authority.data = base::SecretBytes::FromText("CA");
  plugin.cluster.exec_extension = R"({"audience":"x"})";
  REQUIRE(plugin.Run().ok());
  const auto info = nlohmann::json::parse(test::ReadText(plugin.folder / "info"));
  CHECK(info["apiVersion"] == kV1);
  CHECK(info["spec"]["interactive"] == false);
  CHECK(info["spec"]["cluster"]["server"] == "https://api");
  CHECK(info["spec"]["cluster"]["tls-server-name"] == "kubernetes");
  CHECK(info["spec"]["cluster"]["certificate-authority-data"] == "Q0E=");
  CHECK(info["spec"]["cluster"]["config"]["audience"] == "x");
}

TEST_CASE("exec: what goes wrong is one line that names the plugin, and never what it said") {
  const auto why = [](Plugin&& plugin, ErrorCode code,
                      std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    const auto credential = plugin.Run(limit);
    REQUIRE_FALSE(credential.ok());
    CHECK(base::Name(credential.code()) == base::Name(code));
    const std::string message = credential.error().message();
    CHECK_FALSE(Holds(message, "s3cret"));
    CHECK_MESSAGE((Holds(message, "exec plugin") || Holds(message, "plugin: ")), message);
    return message;
  };
  CHECK(Holds(why(Plugin("echo s3cret"), ErrorCode::kAuthFailed), "no ExecCredential"));
  CHECK(Holds(why(Plugin("echo s3cret; exit 3"), ErrorCode::kAuthFailed), "ended with 3"));
  CHECK(Holds(why(Plugin("kill -9 $$"), ErrorCode::kAuthFailed), "signal 9"));
  CHECK(Holds(why(Plugin(Answer("")), ErrorCode::kAuthFailed), "neither token nor certificate"));
  CHECK(Holds(why(Plugin(Answer(R"("clientKeyData":"s3cret")")), ErrorCode::kAuthFailed),
              "not both"));
  CHECK(Holds(why(Plugin(Answer(R"("token":"s3cret")", "client.authentication.k8s.io/v1beta1")),
                  ErrorCode::kAuthFailed),
              "answers another version"));
  CHECK(Holds(why(Plugin(Answer(R"("token":"s3cret","expirationTimestamp":"soon")")),
                  ErrorCode::kAuthFailed),
              "no time"));
  CHECK(Holds(
      why(Plugin("sleep 60 & sleep 60"), ErrorCode::kUnavailable, std::chrono::milliseconds(200)),
      "did not end in time"));
  CHECK(Holds(why(Plugin("yes s3cret"), ErrorCode::kAuthFailed), "more than any credential"));
  Plugin gone("");
  gone.config.command = "no-such-plugin-of-ours";
  gone.config.install_hint = "get it from us";
  CHECK(Holds(why(std::move(gone), ErrorCode::kNotFound), "get it from us"));
  Plugin older("");
  older.config.api_version = "client.authentication.k8s.io/v1alpha1";
  CHECK(Holds(why(std::move(older), ErrorCode::kInvalid), "v1beta1"));
  Plugin asks("");
  asks.config.interactive = InteractiveMode::kAlways;
  CHECK(Holds(why(std::move(asks), ErrorCode::kAuthFailed), "no terminal here"));
}

TEST_CASE("exec: one that asks on standard input gets none where there is no terminal") {
  Plugin plugin("read answer && exit 4\n" + Answer(R"("token":"t")"));
  CHECK(plugin.Run().ok());
}

TEST_CASE(
    "a plugin is asked again when its credential has expired or was refused, and not before") {
  base::ManualClock clock;
  const std::string expires = base::FormatTime(clock.Wall() + std::chrono::seconds(60));
  Plugin plugin("echo x >> $HOME/asked\nn=$(wc -l < $HOME/asked)\n" +
                Answer(R"("token":"t'$n'","expirationTimestamp":")" + expires + "\""));
  Environment environment = plugin.environment;
  environment["HOME"] = plugin.folder.path();
  ClientConfig config;
  config.user.exec = plugin.config;
  UserAuth auth(config, environment, false, clock);
  const auto ask = [&] {
    auto proof = auth.Current(clock.Now() + std::chrono::hours(1));
    REQUIRE_MESSAGE(proof.ok(), proof.error().message());
    return *proof;
  };
  const auto first = ask();
  CHECK(TextOf(first->authorization) == "Bearer t1");
  CHECK(ask() == first);
  CHECK(auth.Refused(first));
  const auto second = ask();
  CHECK(TextOf(second->authorization) == "Bearer t2");
  clock.Advance(std::chrono::seconds(61));
  CHECK(TextOf(ask()->authorization) == "Bearer t3");
}

TEST_CASE("tokens from files are read again, and a token that is none is refused") {
  const test::TempFolder folder;
  base::ManualClock clock;
  ClientConfig config;
  config.user.token_file = folder / "token";
  UserAuth auth(config, {}, false, clock);
  CHECK(auth.Current(clock.Now()).Is(ErrorCode::kAuthFailed));
  test::WriteText(folder / "token", "one\n");
  const auto first = *auth.Current(clock.Now());
  CHECK(TextOf(first->authorization) == "Bearer one");
  test::WriteText(folder / "token", "two\n");
  CHECK(*auth.Current(clock.Now()) == first);
  clock.Advance(kAuthFilePeriod);
  CHECK(TextOf((*auth.Current(clock.Now()))->authorization) == "Bearer two");
  test::WriteText(folder / "token", "a\r\nHost: b");
  clock.Advance(kAuthFilePeriod);
  CHECK(auth.Current(clock.Now()).Is(ErrorCode::kAuthFailed));
}

}  // namespace hsmops::kube
