// SPDX-License-Identifier: Apache-2.0
//
// 200 processes alive at once, all blocked on one pipe, all released and reaped; then 200 in a row.

#include "t.h"

enum { N = 200 };

int main(void)
{
    int go[2], st, sum = 0, wrong = 0;
    char c;

    must(pipe(go) == 0);
    for (int i = 0; i < N; i++) {
        pid_t pid = fork();
        must(pid >= 0);
        if (pid == 0) {
            close(go[1]);
            while (read(go[0], &c, 1) > 0)
                ;
            _exit(i % 100);
        }
    }
    close(go[1]);
    close(go[0]);
    for (int i = 0; i < N; i++) {
        must(wait(&st) > 0);
        if (!WIFEXITED(st))
            wrong++;
        sum += WEXITSTATUS(st);
    }
    ok(!wrong && sum == 2 * 99 * 100 / 2, "200 at once, all statuses right");
    ok(wait(&st) == -1 && errno == ECHILD, "none left");
    sum = 0;
    for (int i = 0; i < N; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(i % 100);
        must(waitpid(pid, &st, 0) == pid);
        sum += WEXITSTATUS(st);
    }
    ok(sum == 2 * 99 * 100 / 2, "200 in a row");
    return t_done();
}
