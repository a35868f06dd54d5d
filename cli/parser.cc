#include "cli/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "cli/commands/verbs.h"

namespace hsmops::cli {
namespace {

// Empty is what an unset shell variable gives, and never what was meant.
std::string NotEmpty(const std::string& text) {
  return text.empty() ? std::string("the value is empty") : std::string();
}

// What takes a text. pflag, and so kubectl, takes -n=NAME for -n NAME.
void TakesText(CLI::Option* option) {
  option->check(NotEmpty);
  if (option->get_snames().empty()) return;
  option->transform([](std::string text) {
    return text.size() > 1 && text.front() == '=' ? text.substr(1) : text;
  });
}

class CliWords : public Words {
 public:
  CliWords(CLI::App& app, Choices& choices) : app_(app), choices_(choices) {}
  void Flag(const std::string& name, const std::string& help, bool& target) override {
    app_.add_flag(Dashes(name), target, help);
  }
  void Option(const std::string& name, const std::string& value, const std::string& help,
              std::string& target) override {
    TakesText(app_.add_option(Dashes(name), target, help)->option_text(value)->type_size(1));
  }
  void List(const std::string& name, const std::string& value, const std::string& help,
            std::vector<std::string>& target) override {
    TakesText(app_.add_option(Dashes(name), target, help)
                  ->option_text(value)
                  ->type_size(1)
                  ->allow_extra_args(false));
  }
  void Argument(const std::string& name, const std::string& help, std::string& target,
                bool required) override {
    app_.add_option(name, target, help)
        ->required(required)
        ->option_text(required ? "" : "[optional]")
        ->check(NotEmpty);
  }
  void Arguments(const std::string& name, const std::string& help,
                 std::vector<std::string>& target) override {
    app_.add_option(name, target, help)->check(NotEmpty);
  }
  void Takes(const std::string& name, std::vector<std::string> values) override {
    choices_[app_.get_option(app_.get_option_no_throw(name) != nullptr ? name : Dashes(name))] =
        std::move(values);
  }

 private:
  // "w,watch" is "-w,--watch".
  static std::string Dashes(const std::string& name) {
    std::string out;
    std::istringstream parts(name);
    for (std::string part; std::getline(parts, part, ',');)
      out += (out.empty() ? "" : ",") + std::string(part.size() == 1 ? "-" : "--") + part;
    return out;
  }
  CLI::App& app_;
  Choices& choices_;
};

}  // namespace

Parser::Parser(const std::vector<std::string>& words) : verbs(AllVerbs()) {
  app.name("kubectl hsm");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_help_flag("-h,--help", "this text");
  AddGlobals();
  const auto among = [&](const std::string& name) {
    return std::find(words.begin(), words.end(), name) != words.end();
  };
  for (const Verb& verb : verbs)
    AddVerb(verb, among(verb.name) || std::ranges::any_of(verb.aliases, among));
}

void Parser::AddVerb(const Verb& verb, bool with_words) {
  CLI::App* sub = app.add_subcommand(verb.name, verb.summary);
  for (const std::string& alias : verb.aliases) sub->alias(alias);
  std::string examples;
  for (const std::string& example : verb.examples)
    examples += (examples.empty() ? "Examples:\n  " : "\n  ") + example;
  sub->footer(examples);
  by_app[sub] = &verb;
  if (!with_words) return;
  CliWords declared(*sub, choices);
  runners[sub] = verb.declare(declared);
}

// Named and meant as kubectl has them; --certificate-authority, --client-certificate and
// --client-key are among the words of every verb.
void Parser::AddKubectl(const char* group) {
  kube::Overrides& to = globals.kubectl.overrides;
  const auto add = [&](const char* name, std::string& target, const char* value, const char* help) {
    app.add_option(name, target, help)->option_text(value)->group(group);
  };
  add("--kubeconfig", to.kubeconfig, "FILE", "instead of $KUBECONFIG and ~/.kube/config");
  add("--context", to.context, "NAME", "of the kubeconfig");
  add("--cluster", to.cluster, "NAME", "of the kubeconfig, instead of the context's");
  add("--user", to.user, "NAME", "of the kubeconfig, instead of the context's");
  add("-s,--server", to.server, "URL", "of the API server");
  add("--tls-server-name", to.tls_server_name, "NAME", "in the API server's certificate");
  add("--token", globals.kubectl.token, "TOKEN", "a bearer token for the API server");
  add("--as", to.as, "NAME", "whom to stand for");
  add("--as-uid", to.as_uid, "UID", "of whom --as names");
  add("--request-timeout", globals.kubectl.request_timeout, "DURATION",
      "of one request to the API server; 0 is none");
  app.add_option("--as-group", to.as_groups, "a group to stand for; may stand several times")
      ->option_text("GROUP")
      ->type_size(1)
      ->allow_extra_args(false)
      ->group(group);
  app.add_flag("--insecure-skip-tls-verify", to.insecure_skip_tls_verify,
               "believe whoever answers as the API server")
      ->group(group);
}

void Parser::AddGlobals() {
  const char* group = "Every verb";
  app.add_option("--local", globals.local, "the cluster folder")->option_text("DIR")->group(group);
  app.add_option("-n,--namespace", globals.ns, "the device's namespace; by default the context's")
      ->option_text("NAMESPACE")
      ->group(group);
  app.add_option("--device", globals.device, "the device, where there are several")
      ->option_text("DEVICE")
      ->group(group);
  choices[app.add_option("-o,--output", globals.output,
                         "table, wide, json, yaml, name or jsonpath=EXPRESSION")
              ->option_text("FORMAT")
              ->group(group)] = {"table", "wide", "json", "yaml", "name", "jsonpath="};
  app.add_flag("--no-headers", globals.no_headers, "tables without their first line")->group(group);
  app.add_option("--timeout", globals.timeout,
                 "how long to wait; 10s for verbs that read, 60s for those that act")
      ->option_text("DURATION")
      ->group(group);
  AddKubectl(group);
  app.add_option("--certificate-authority", globals.wire.ca,
                 "whom to believe: an API server, or agents where --local is given")
      ->option_text("FILE")
      ->group(group);
  app.add_option("--client-certificate", globals.wire.cert, "what to prove oneself to it with")
      ->option_text("FILE")
      ->group(group);
  app.add_option("--client-key", globals.wire.key, "the key of it")
      ->option_text("FILE")
      ->group(group);
  const std::vector<std::string> colors{"auto", "always", "never"};
  choices[app.add_option("--color", globals.color, "auto, always or never")
              ->check(CLI::IsMember(colors))
              ->option_text("WHEN")
              ->group(group)] = colors;
  app.add_option("-v", globals.verbosity, "how much to say, 0 to 9")
      ->check(CLI::Range(0, 9))
      ->option_text("LEVEL")
      ->group(group);
  for (CLI::Option* option :
       app.get_options([](const CLI::Option* o) { return o->get_items_expected_max() > 0; }))
    TakesText(option);
}

}  // namespace hsmops::cli
