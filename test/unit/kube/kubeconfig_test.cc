#include "libhsmops/kube/kubeconfig.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "libhsmops/kube/client_config.h"
#include "test/support/temp_folder.h"
#include "test/support/text.h"

namespace hsmops::kube {

using test::Holds;
namespace {

using base::ErrorCode;

constexpr const char* kTwo = R"(
apiVersion: v1
kind: Config
current-context: here
preferences: {}
clusters:
- name: one
  cluster: {server: "https://one:6443/", certificate-authority: pki/ca.crt}
- name: two
  cluster:
    server: https://two
    certificate-authority-data: Q0E=
    tls-server-name: kubernetes
    proxy-url: socks5://proxy:1080
contexts:
- {name: here, context: {cluster: one, user: me}}
- {name: there, context: {cluster: two, user: robot, namespace: payments}}
users:
- name: me
  user: {client-certificate: me.crt, client-key: /keys/me.key}
- name: robot
  user: {tokenFile: robot.token, as: admin, as-groups: [a, b], as-user-extra: {why: [x]}}
)";

std::string Text(const base::SecretBytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Kubeconfig MustParse(std::string_view text) {
  auto config = Kubeconfig::Parse(text, "/home/me/.kube");
  if (!config.ok()) FAIL(config.error().message());
  return *std::move(config);
}

// What a text is refused with.
std::string Refusal(std::string_view text) {
  const auto config = Kubeconfig::Parse(text, "/f");
  return config.ok() ? "" : config.error().message();
}

std::string WhyNot(std::string_view text, Overrides overrides = {}, Environment environment = {}) {
  const auto config = ClientConfig::Resolve(MustParse(text), std::move(overrides), environment);
  return config.ok() ? "" : config.error().message();
}

}  // namespace

TEST_CASE("kubeconfig: paths are taken from its own folder, data is decoded") {
  const Kubeconfig config = MustParse(kTwo);
  CHECK(config.current_context == "here");
  CHECK(config.clusters.at("one").certificate_authority.file == "/home/me/.kube/pki/ca.crt");
  CHECK(Text(config.clusters.at("two").certificate_authority.data) == "CA");
  CHECK(config.clusters.at("two").tls_server_name == "kubernetes");
  CHECK(config.users.at("me").client_certificate.file == "/home/me/.kube/me.crt");
  CHECK(config.users.at("me").client_key.file == "/keys/me.key");
  CHECK(config.users.at("robot").token_file == "/home/me/.kube/robot.token");
  CHECK(config.users.at("robot").as_user_extra.at("why") == std::vector<std::string>{"x"});
  CHECK(config.contexts.at("there").ns == "payments");
}

TEST_CASE("kubeconfig: JSON is one, and so is an empty file") {
  CHECK(MustParse(R"({"clusters": [{"name": "a", "cluster": {"server": "https://x"}}]})")
            .clusters.at("a")
            .server == "https://x");
  CHECK(MustParse("").empty());
  CHECK(MustParse("{}").empty());
}

TEST_CASE("kubeconfig: what is none is refused with where and why") {
  CHECK(Holds(Refusal("clusters: [\n"), "line 2"));
  CHECK(Holds(Refusal("- a\n"), "no mapping"));
  CHECK(Holds(Refusal("kind: HSMDevice\n"), "its kind is HSMDevice, not Config"));
  CHECK(Holds(Refusal("clusters: {}\n"), "clusters is not a list"));
  CHECK(Holds(Refusal("users: [{name: a, user: {token: 5}}]\n"), "user \"a\".token is not text"));
  CHECK(Holds(Refusal("users: [{name: a, user: {client-key-data: '!'}}]\n"),
              "user \"a\".client-key-data is not base64"));
  CHECK(Holds(Refusal("contexts: [{name: a, context: {}}, {name: a, context: {}}]\n"),
              "context \"a\" is there twice"));
  CHECK(Holds(Refusal("users: [{name: a, user: {exec: {interactiveMode: Often}}}]\n"),
              "Never, IfAvailable or Always"));
}

TEST_CASE("kubeconfig: of several files the first that says something counts") {
  const test::TempFolder folder;
  test::WriteText(folder / "a",
                  "current-context: x\nclusters: [{name: c, cluster: {server: A}}]\n");
  test::WriteText(folder / "b",
                  "current-context: z\nclusters: [{name: c, cluster: {server: B, "
                  "tls-server-name: t}}, {name: d, cluster: {server: D}}]\n");
  const std::string missing = folder / "missing";
  const Environment environment{{"KUBECONFIG", missing + ":" + (folder / "a") +
                                                   "::" + (folder / "b") + ":" + (folder / "a")}};
  const auto merged = Kubeconfig::Load("", environment);
  REQUIRE(merged.ok());
  CHECK(merged->current_context == "x");
  CHECK(merged->clusters.at("c").server == "A");
  CHECK(merged->clusters.at("c").tls_server_name.empty());  // an entry is taken whole
  CHECK(merged->clusters.at("d").server == "D");

  const auto one = Kubeconfig::Load(folder / "b", environment);
  REQUIRE(one.ok());
  CHECK(one->current_context == "z");
  const auto none = Kubeconfig::Load(missing, environment);
  CHECK(none.Is(ErrorCode::kNotFound));
  CHECK(Holds(none.error().message(), "--kubeconfig"));
  test::WriteText(folder / "b", "clusters: 5\n");
  CHECK(Holds(Kubeconfig::Load("", environment).error().message(), folder / "b"));
}

TEST_CASE(
    "kubeconfig: without $KUBECONFIG it is the one at home, and nothing where there is none") {
  const test::TempFolder home;
  const Environment environment{{"HOME", home.path()}};
  CHECK(Kubeconfig::Load("", environment)->empty());
  std::filesystem::create_directory(home / ".kube");
  test::WriteText(home / ".kube/config", "current-context: home\n");
  CHECK(Kubeconfig::Load("", environment)->current_context == "home");
  CHECK(Kubeconfig::Load("", {})->empty());
}

TEST_CASE("a context decides, and the command line's words before it") {
  auto config = ClientConfig::Resolve(MustParse(kTwo), {}, {});
  REQUIRE(config.ok());
  CHECK(config->server == "https://one:6443");
  CHECK(config->ns == "default");
  Overrides words;
  words.context = "there";
  words.as = "auditor";
  config = ClientConfig::Resolve(MustParse(kTwo), std::move(words), {});
  REQUIRE(config.ok());
  CHECK(config->server == "https://two");
  CHECK(config->ns == "payments");
  CHECK(config->user.as == "auditor");
  CHECK(config->user.as_groups == std::vector<std::string>{"a", "b"});

  words = {};
  words.cluster = "two";
  words.ns = "hsm";
  words.server = "other:8443";
  words.token = base::SecretBytes::FromText("t");
  words.insecure_skip_tls_verify = true;
  config = ClientConfig::Resolve(MustParse(kTwo), std::move(words), {});
  REQUIRE(config.ok());
  CHECK(config->server == "https://other:8443");
  CHECK(config->ns == "hsm");
  CHECK(Text(config->user.token) == "t");
  CHECK(config->cluster.certificate_authority.empty());
}

TEST_CASE("what cannot be is refused before anybody is asked") {
  Overrides words;
  words.context = "elsewhere";
  CHECK(Holds(WhyNot(kTwo, std::move(words)),
              "context \"elsewhere\" does not exist; there is here, there"));
  words = {};
  words.user = "nobody";
  CHECK(Holds(WhyNot(kTwo, std::move(words)), "user \"nobody\" does not exist"));
  CHECK(Holds(WhyNot("current-context: gone\n"), "context \"gone\" does not exist"));
  CHECK(Holds(WhyNot("clusters: [{name: a, cluster: {server: https://a}}]\n"),
              "names no cluster to use"));
  CHECK(Holds(WhyNot(""), "no cluster is known"));
  words = {};
  words.server = "https://";
  CHECK(Holds(WhyNot("", std::move(words)), "is not https://HOST[:PORT]"));
  words = {};
  words.server = "ftp://x";
  CHECK(Holds(WhyNot("", std::move(words)), "is not https://HOST[:PORT]"));
  words = {};
  words.server = "https://x";
  words.client_certificate = "a.crt";
  CHECK(Holds(WhyNot("", std::move(words)), "no client key"));
  words = {};
  words.server = "https://x";
  words.as_groups = {"g"};
  CHECK(Holds(WhyNot("", std::move(words)), "go with --as"));
  words = {};
  words.server = "https://x";
  words.insecure_skip_tls_verify = true;
  words.certificate_authority = "ca.crt";
  CHECK(Holds(WhyNot("", std::move(words)), "exclude each other"));
  words = {};
  words.server = "https://x";
  words.user = "old";
  CHECK(
      Holds(WhyNot("users: [{name: old, user: {auth-provider: {name: gcp}}}]\n", std::move(words)),
            "auth-provider gcp"));
}

TEST_CASE("in a pod, and with no kubeconfig, the pod's service account is taken") {
  const test::TempFolder account;
  Environment environment{{"KUBERNETES_SERVICE_HOST", "fd00::1"},
                          {"KUBERNETES_SERVICE_PORT", "443"}};
  const auto resolve = [&](std::string_view text) {
    return ClientConfig::Resolve(MustParse(text), {}, environment, account.path());
  };
  CHECK(resolve("").Is(ErrorCode::kNotFound));  // no token: no pod
  test::WriteText(account / "token", "t");
  test::WriteText(account / "namespace", "hsm-system");
  auto config = resolve("");
  REQUIRE(config.ok());
  CHECK(config->server == "https://[fd00::1]:443");
  CHECK(config->ns == "hsm-system");
  CHECK(config->user.token_file == account / "token");
  CHECK(config->cluster.certificate_authority.file == account / "ca.crt");
  CHECK(resolve("contexts: [{name: a, context: {}}]\n").Is(ErrorCode::kNotFound));
}

}  // namespace hsmops::kube
