// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/go_binary.h"

#include <libelf.h>
#include <string.h>

enum { MAX_SECTIONS = 4096 };

bool go_binary_is(int fd)
{
    size_t names = 0;
    bool found = false;
    (void)elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    if (elf == NULL || elf_getshdrstrndx(elf, &names) != 0) {
        (void)elf_end(elf);
        return false;
    }
    Elf_Scn *section = NULL;
    for (int i = 0; i < MAX_SECTIONS && !found && (section = elf_nextscn(elf, section)) != NULL;
         i++) {
        Elf64_Shdr *header = elf64_getshdr(section);
        const char *name = header == NULL ? NULL : elf_strptr(elf, names, header->sh_name);
        found =
            name != NULL && (strcmp(name, ".go.buildinfo") == 0 || strcmp(name, ".gopclntab") == 0);
    }
    (void)elf_end(elf);
    return found;
}
