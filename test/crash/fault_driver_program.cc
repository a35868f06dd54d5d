// Drives a PKCS#11 module by words, for the fault module's own test. Logs in, does each word,
// prints one line for each, and ends with 0 unless a call failed in a way that no word expects.
//
//   fault_driver MODULE PIN_FILE WORD...
//     create=LABEL:VALUE   make an object      destroy=LABEL
//     refused              a create that every module refuses; SoftHSM leaves a ghost
//     read=LABEL           its value, read into a large buffer
//     ask=LABEL            its value, by the two-call form
//     list=N               how many objects, asking for N at a time, to the first empty answer
//     again                C_Finalize, C_Initialize, login
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace {

CK_FUNCTION_LIST* p11 = nullptr;
CK_SESSION_HANDLE session = 0;
CK_OBJECT_CLASS data_class = CKO_DATA;
CK_BBOOL yes = CK_TRUE;
int failures = 0;

bool Ok(const char* function, CK_RV rv) {
  if (rv == CKR_OK) return true;
  std::printf("%s 0x%lx\n", function, rv);
  ++failures;
  return false;
}

CK_ATTRIBUTE Text(CK_ATTRIBUTE_TYPE type, std::string& text) {
  return {type, text.data(), text.size()};
}

void Open(std::string pin) {
  CK_SLOT_ID slots[8];
  CK_ULONG count = 8;
  if (!Ok("C_Initialize", p11->C_Initialize(nullptr))) std::exit(1);
  if (!Ok("C_GetSlotList", p11->C_GetSlotList(CK_TRUE, slots, &count))) std::exit(1);
  for (CK_ULONG i = 0; i < count; ++i) {
    CK_TOKEN_INFO info;
    if (!Ok("C_GetTokenInfo", p11->C_GetTokenInfo(slots[i], &info))) std::exit(1);
    if ((info.flags & CKF_TOKEN_INITIALIZED) == 0) continue;
    if (!Ok("C_OpenSession", p11->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                                nullptr, nullptr, &session)) ||
        !Ok("C_Login", p11->C_Login(session, CKU_USER, reinterpret_cast<unsigned char*>(pin.data()),
                                    pin.size()))) {
      std::exit(1);
    }
    return;
  }
  std::printf("no token\n");
  std::exit(1);
}

// Every object with this label (empty: any), `page` at a time.
std::vector<CK_OBJECT_HANDLE> Find(std::string label, CK_ULONG page) {
  std::vector<CK_OBJECT_HANDLE> all;
  CK_ATTRIBUTE criteria[] = {{CKA_CLASS, &data_class, sizeof data_class}, Text(CKA_LABEL, label)};
  if (!Ok("C_FindObjectsInit", p11->C_FindObjectsInit(session, criteria, label.empty() ? 1 : 2)))
    return all;
  for (;;) {
    std::vector<CK_OBJECT_HANDLE> some(page);
    CK_ULONG found = 0;
    if (!Ok("C_FindObjects", p11->C_FindObjects(session, some.data(), page, &found)) || found == 0)
      break;
    all.insert(all.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(found));
  }
  (void)Ok("C_FindObjectsFinal", p11->C_FindObjectsFinal(session));
  return all;
}

void Create(std::string label, std::string value) {
  CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &data_class, sizeof data_class},
                               {CKA_TOKEN, &yes, sizeof yes},
                               {CKA_PRIVATE, &yes, sizeof yes},
                               Text(CKA_LABEL, label),
                               Text(CKA_VALUE, value)};
  CK_OBJECT_HANDLE object = 0;
  if (Ok("C_CreateObject", p11->C_CreateObject(session, attributes, 5, &object)))
    std::printf("created\n");
}

void Refused() {
  CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &data_class, sizeof data_class},
                               {CKA_TOKEN, &yes, sizeof yes},
                               {CKA_PRIVATE, &yes, sizeof yes},
                               {CKA_MODULUS, &yes, sizeof yes}};
  CK_OBJECT_HANDLE object = 0;
  const CK_RV rv = p11->C_CreateObject(session, attributes, 4, &object);
  std::printf("%s\n", rv == CKR_OK ? "created" : "refused");
  if (rv == CKR_OK) ++failures;
}

void Read(const std::string& label, bool ask) {
  const std::vector<CK_OBJECT_HANDLE> found = Find(label, 10);
  if (found.empty()) {
    std::printf("absent\n");
    return;
  }
  std::string value(4096, '\0');
  CK_ATTRIBUTE attribute{CKA_VALUE, nullptr, 0};
  if (ask) {
    if (!Ok("C_GetAttributeValue", p11->C_GetAttributeValue(session, found[0], &attribute, 1)))
      return;
    value.resize(attribute.ulValueLen);
  }
  attribute = Text(CKA_VALUE, value);
  if (!Ok("C_GetAttributeValue", p11->C_GetAttributeValue(session, found[0], &attribute, 1)))
    return;
  std::printf("%s=%s\n", label.c_str(), value.substr(0, attribute.ulValueLen).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // what was said before a death is kept
  void* const library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return 2;
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  if (get == nullptr || get(&p11) != CKR_OK) return 2;
  std::string pin;
  std::getline(std::ifstream(argv[2]), pin);

  Open(pin);
  for (int i = 3; i < argc; ++i) {
    const std::string word = argv[i];
    const std::string verb = word.substr(0, word.find('='));
    const std::string what = word.size() > verb.size() ? word.substr(verb.size() + 1) : "";
    if (verb == "create") Create(what.substr(0, what.find(':')), what.substr(what.find(':') + 1));
    if (verb == "refused") Refused();
    if (verb == "destroy") {
      for (const CK_OBJECT_HANDLE object : Find(what, 10)) {
        if (Ok("C_DestroyObject", p11->C_DestroyObject(session, object)))
          std::printf("destroyed\n");
      }
    }
    if (verb == "read" || verb == "ask") Read(what, verb == "ask");
    if (verb == "list")
      std::printf("%zu objects\n", Find("", std::strtoul(what.c_str(), nullptr, 10)).size());
    if (verb == "again") {
      (void)Ok("C_Finalize", p11->C_Finalize(nullptr));
      Open(pin);
    }
  }
  (void)Ok("C_Finalize", p11->C_Finalize(nullptr));
  return failures == 0 ? 0 : 1;
}
