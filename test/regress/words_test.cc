// Found by review: a usage error repeated the word that was not understood, which is the value
// whenever somebody forgets a flag; so did errors about env files and manifests, where a value is
// taken for a key, a tag or an anchor; and a quarantine that nobody could look into was said to be
// empty.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "test/regress/regress_scene.h"

namespace hsmops::test {

TEST_CASE("no usage error of put prints a value") {
  RegressScene scene({"a", "b"});
  const std::vector<std::vector<std::string>> mistakes{
      {"put", "app", "password=SECRET"},
      {"put", "app", "--", "password=SECRET"},
      {"put", "app", "--from-litteral", "password=SECRET"},
      {"put", "app", "--from-litteral=password=SECRET"},
      {"put", "app", "--from-literal", "a=1", "b=SECRET"},
      {"put", "app", "-p", "SECRET"},
      {"put", "app", "--stdin-key", "token", "--merge=SECRET"},
      {"put", "app", "--from-literal", "=SECRET"},
      {"put", "app", "--from-literal", "bad key=SECRET"},
      {"put", "app", "--from-literal", "SECRET"},
  };
  for (const auto& words : mistakes) {
    const Ended ended = scene.Hsm(words);
    const std::string said = ended.out + ended.err;
    CAPTURE(words.back());
    HSM_CHECK_EXIT(ended, 2);
    CHECK_MESSAGE(!Says(said, "SECRET"), said);
    CHECK(!said.empty());
  }
  CHECK(scene.Hsm({"get", "app"}).code == 4);
}

TEST_CASE("no error about an env file prints a line of it") {
  RegressScene scene({"a"});
  const std::string file = scene.cluster().folder() + "/../env";
  const std::vector<std::string> contents{
      "KEY=\"-----BEGIN\nx=1\nMIIE/SECRET+a==\n",
      "good=1\n  MIIE SECRET=\n",
      "good=1\nMIIESECRET=a\nMIIESECRET=b\n",
      "=SECRET\n",
      "good=1\nSECRET\n",
  };
  for (const std::string& content : contents) {
    CAPTURE(content);
    WriteText(file, content);
    const Ended ended = scene.Hsm({"put", "app", "--from-env-file", file});
    const std::string said = ended.out + ended.err;
    HSM_CHECK_EXIT(ended, 2);
    CHECK_MESSAGE(!Says(said, "SECRET"), said);
    CHECK_MESSAGE(!Says(said, "MIIE"), said);
    CHECK_MESSAGE(Says(said, file + " line "), said);
  }
}

TEST_CASE("no error about a manifest prints a value") {
  RegressScene scene({"a"});
  const std::string begin = "kind: Secret\nmetadata: {name: app}\nstringData:\n";
  const std::vector<std::string> mistakes{
      "  password: !SECRET x\n",
      "  password: !SECRET [x]\n",
      "  password: !<SECRET> x\n",
      "  password: !!SECRET x\n",
      "  password: *SECRET\n",
      "  password: &SECRET\n  other: *SECRETS\n",
      "  password: &SECRET &SECRET x\n",
      "  password: &a {b: *SECRET}\n",
      "  password: SECRET\n  password: SECRET\n",
      "  password: \"SECRET\\S\"\n",
      "  password: \"\\xSECRET\"\n",
      "  password: \"\\UFFSECRET\"\n",
      "  password: 'SECRET\n",
      "  password: {SECRET\n",
      "  password: @SECRET\n",
      "  password: %SECRET\n",
      "  password: `SECRET\n",
      "  password: [SECRET]\n",
      "  password: SECRET: x\n",
      "  password: |SECRET\n    x\n",
      "  <<: SECRET\n",
      "  password: SECRET\n SECRET\n",
      "%YAML SECRET\n---\na: b\n",
      "%TAG SECRET\n---\na: b\n",
      "  <<: {password: SECRET}\n  <<: {password: SECRET}\n",
  };
  for (const std::string& mistake : mistakes) {
    CAPTURE(mistake);
    const std::string text = mistake.starts_with('%') ? mistake : begin + mistake;
    const Ended ended = scene.Hsm({"put", "-f", "-"}, text);
    const std::string said = ended.out + ended.err;
    HSM_CHECK_EXIT(ended, 2);
    CHECK_MESSAGE(!Says(said, "SECRET"), said);
    CHECK_MESSAGE(Says(said, "line "), said);
  }
  // A number that JSON has not, and a single character of what is quoted.
  for (const std::string value : {".nan", "-.inf", "\"\\S\"", "\"\\uD8FF\""}) {
    const Ended ended = scene.Hsm({"put", "-f", "-"}, begin + "  password: " + value + "\n");
    HSM_CHECK_EXIT(ended, 2);
    CHECK_MESSAGE(!Says(ended.err, value), ended.err);
    CHECK_MESSAGE(!Says(ended.err, ": S\n"), ended.err);
    CHECK_MESSAGE(!Says(ended.err, "55551"), ended.err);
  }
}

TEST_CASE("divergence list does not call a quarantine empty that it cannot look into") {
  RegressScene scene({"a", "b"});
  scene.Put("app", "kept");
  scene.Gone({"b"});
  const Ended partial = scene.Hsm({"divergence", "list"});
  HSM_CHECK_EXIT(partial, 7);
  // It may say so of those that answered.
  CHECK(!Says(partial.out + partial.err, "nothing is in quarantine\n"));
  CHECK(Says(partial.err, "b cannot be asked"));
  scene.Back({"b"});
  const Ended whole = scene.Hsm({"divergence", "list"});
  HSM_CHECK_EXIT(whole, 0);
  CHECK(Says(whole.out + whole.err, "nothing is in quarantine"));
}

TEST_CASE("what cannot be meant is refused, with the word that was") {
  RegressScene scene({"a"});
  const Ended dash = scene.Hsm({"put", "app", "--from-file", "v=-"});
  HSM_CHECK_EXIT(dash, 2);
  CHECK_MESSAGE(Says(dash.err, "--stdin-key KEY"), dash.err);
  const Ended same = scene.Hsm({"rename-key", "app", "k", "k"});
  HSM_CHECK_EXIT(same, 2);
  CHECK_MESSAGE(Says(same.err, "name another"), same.err);
}

}  // namespace hsmops::test
