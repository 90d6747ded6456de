// SPDX-License-Identifier: Apache-2.0
// Two threads that are in one of 800 stacks of 16 calls, for some 20 us each time:
//
//     java ManyStacks SECONDS
public class ManyStacks {
    static final int STACKS = 800, DEPTH = 16;
    static volatile long sink;

    static void call(int stack, int depth) {
        if (depth == DEPTH) {
            long sum = stack;
            for (int i = 0; i < 20000; i++) {
                sum = sum * 6364136223846793005L + 1442695040888963407L;
            }
            sink = sum;
            return;
        }
        switch ((stack >> Math.max(0, 10 - depth) ^ stack * depth) & 7) {
            case 0: a(stack, depth + 1); break;
            case 1: b(stack, depth + 1); break;
            case 2: c(stack, depth + 1); break;
            case 3: d(stack, depth + 1); break;
            case 4: e(stack, depth + 1); break;
            case 5: f(stack, depth + 1); break;
            case 6: g(stack, depth + 1); break;
            default: h(stack, depth + 1); break;
        }
    }

    static void a(int stack, int depth) { call(stack, depth); }
    static void b(int stack, int depth) { call(stack, depth); }
    static void c(int stack, int depth) { call(stack, depth); }
    static void d(int stack, int depth) { call(stack, depth); }
    static void e(int stack, int depth) { call(stack, depth); }
    static void f(int stack, int depth) { call(stack, depth); }
    static void g(int stack, int depth) { call(stack, depth); }
    static void h(int stack, int depth) { call(stack, depth); }

    public static void main(String[] args) throws Exception {
        long end = System.nanoTime() + Long.parseLong(args[0]) * 1_000_000_000L;
        for (int i = 0; i < 2; i++) {
            int first = i;
            new Thread(() -> {
                for (int at = first; System.nanoTime() < end; at++) {
                    call(at % STACKS, 0);
                }
            }).start();
        }
    }
}
