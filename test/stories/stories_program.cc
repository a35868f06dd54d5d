// stories: tells every story again and compares it with what is written; a story that came out
// differently prints what differs and the command that writes it anew.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "libhsmops/base/mutant.h"
#include "test/stories/script.h"
#include "test/stories/teller.h"

namespace {

using namespace hsmops;
namespace fs = std::filesystem;

struct Options {
  bool write = false;
  std::vector<fs::path> files;
};

[[noreturn]] void Usage() {
  fmt::print(stderr, "usage: stories [--write] [--mutant NUMBER] FILE-OR-FOLDER...\n");
  std::exit(2);
}

void Add(const fs::path& path, Options& options) {
  if (!fs::is_directory(path)) return options.files.push_back(path);
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.path().extension() == ".story") options.files.push_back(entry.path());
  }
}

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--write") {
      options.write = true;
    } else if (word == "--mutant" && i + 1 < argc) {
      base::SetMutant(static_cast<base::Mutant>(std::strtoul(argv[++i], nullptr, 10)));
    } else if (word.rfind('-', 0) == 0) {
      Usage();
    } else {
      Add(word, options);
    }
  }
  if (options.files.empty()) Usage();
  std::sort(options.files.begin(), options.files.end());
  return options;
}

std::string Slurp(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

void ShowDifference(const fs::path& path, const std::string& now) {
  const fs::path beside = fs::temp_directory_path() / (path.stem().string() + ".now");
  std::ofstream(beside) << now;
  std::fflush(stdout);
  const std::string command =
      fmt::format("diff -u --label written --label now '{}' '{}'", path.string(), beside.string());
  (void)std::system(command.c_str());  // it ends with 1: they differ
  fs::remove(beside);
  fmt::print("if this is right: build/dev/stories --write {}\n", path.string());
}

bool TellOne(const fs::path& path, bool write) {
  const std::string file = Slurp(path);
  const std::string script = stories::Split(file).first;
  const auto told = stories::Tell(script);
  if (!told.ok()) {
    fmt::print("{}: {}\n", path.string(), told.error().message());
    return false;
  }
  if (script + *told == file) return true;
  if (write) {
    std::ofstream(path) << script << *told;
    fmt::print("{}: written anew\n", path.string());
    return true;
  }
  fmt::print("{}: came out differently\n", path.string());
  ShowDifference(path, script + *told);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  int failed = 0;
  for (const fs::path& file : options.files) failed += TellOne(file, options.write) ? 0 : 1;
  fmt::print("{} passed, {} failed\n", static_cast<int>(options.files.size()) - failed, failed);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
