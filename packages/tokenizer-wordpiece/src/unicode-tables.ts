/**
 * What Python `tokenizers` 0.23.3 takes each character for, as runs `gap length gap length …` in base 36, gaps counted
 * from the end of the run before. Written by tooling/golden/tokenizer-wordpiece-tables.py: do not edit.
 */

/** Controls, formats, private use, U+0000 and U+FFFD: cleaned away. */
export const DROPPED: string =
  "0 9 2 2 1 i 2n x d 1 11u 6 m 1 5c 1 1d 1 3cu 1 1ks 5 q 5 1d 5 1 a 11u8 4xs 16n 1 6x 3 1 1 3b3 1 xya 4 43z 8 " +
  "h406 1 u 2o 1egw 1eke 2 1eke";

/** White space. U+000B, U+000C and U+0085 among it are controls, and gone where text is cleaned. */
export const SPACES: string = "9 5 i 1 2s 1 q 1 4bj 1 1vj b t 2 5 1 1b 1 334 1";

/** A word of its own each. ASCII symbols count, other symbols do not. */
export const PUNCTUATION: string =
  "x f a 7 q 6 q 4 y 1 5 1 3 1 a 2 3 1 3 1 ji 1 8 1 cy 6 15 2 1f 1 1 1 2 1 2 1 18 2 k 2 1 2 d 1 2 2 22 4 2u 1 " +
  "17 e 6h 3 1i f v 1 79 2 a 1 an 1 lf 1 2i 1 a 2 4o f 1 1 11 4 1z 1 22 5 4 2 33 6 4r 1 h0 9 47 1 h8 2 18 2 26 " +
  "3 1z 2 4d 3 1 3 11 b 8p 2 60 2 3k 7 1 6 4s 7 4b 4 1n 5 1q 2 1s 8 b 1 n0 o 8 k 1 d 1 c u 2 e 2 hl 4 t 2 u5 e " +
  "27 2 v a b7 m 1r 4 w 2 l7 4 1 2 34 1 3z 1b 1 j ce 3 4 a 2 c g 1 c 1 2q 1 2i 1 mwy 2 7h 3 2r 1 a 1 37 6 ak 4 " +
  "2e 2 14 3 1 1 1d 2 1b 1 2p d g 2 3g 4 3i 2 g 2 6x 1 g2a 2 5s a m z 1 e 1 1 4 1 1 2 45 3 1 6 1 4 a 2 3 2 q 3 " +
  "1 1 r 1 1 1 1 7 be 3 ik 1 1c 1 bi 1 kn 1 5j 1 v 1 7k 9 12 1 34 7 1u 7 2h 4 x6 7 31 2 1 4 3i 4 1c 2 27 5 3 1 " +
  "d 1 1 3 2g 6 2z 1 f0 1 6y n 2x 3 6w 3 2lt 5 dtl 2 3p 1 1t 5 8 1 g2i 1 5wn 5";

/** The blocks that BERT puts spaces around. */
export const CHINESE: string = "a9s 534 1s g74 hkw e8 1fk0 wyo w 3ds 74 49c 85s f4";

/** Non-spacing marks: what accent stripping strips. */
export const MARKS: string =
  "lc 1s 2 1 2 17 7n 5 7d 19 1 1 1 2 1 2 1 1 20 b 1c l g 1 2t 7 2 6 2 2 1 4 z 1 u r 2j b 1m 9 y 4 1 9 1 3 1 5 " +
  "17 3 3r w 1j 1 1 1 4 8 4 1 3 7 a 2 t 1 1m 1 4 4 8 1 k 2 t 2 1l 1 4 2 4 2 2 3 3 1 u 2 3 1 b 2 1l 1 4 5 1 2 4 " +
  "1 k 2 t 1 1m 1 2 1 1 4 8 1 8 1 b 2 u 1 1p 1 c 1 1e 1 1p 3 5 2 2 4 7 2 b 2 t 1 1m 1 2 1 6 1 5 2 k 2 t 1 1r 4 " +
  "8 1 k 2 2u 1 7 3 1 1 2i 1 2 7 c 8 2q 1 2 6 1 2 b 6 22 2 r 1 1 1 1 1 1j 2 1 1 2 1 1 6 1 1 1 3 1 2 5 6 1 4 1 4 " +
  "1 4 1 4 1 4 1 c 1 3 9 1 2u 4 1 6 1 2 2 2 p 2 4 3 g 4 d 1 2 2 6 1 f 1 jj 3 qa 3 t 3 t 2 u 2 1s 2 1 7 8 1 2 b " +
  "9 1 19 3 4b 1 3a 3 4 2 9 1 6 3 63 2 2 1 1m 1 1 7 1 1 1 1 2 8 6 a 2 1 1c e 1u 4 1c 1 1 5 1 1 5 1 14 9 c 2 w 4 " +
  "2 2 1 3 1k 1 1 2 3 1 1 3 1m 8 2 2 48 3 1 d 1 7 4 1 6 1 3 2 5i 1i 6 4 k0 d 4 1 3 c 2da 3 3x 1 2o w fe 4 2z 2 " +
  "n9w 1 4 a w 2 28 2 7k 1 3 1 4 1 p 2 4d 1 r i 1g 8 p b 1a 3 1c 1 2 4 2 1 14 1 1v 6 2 2 2 2 c 1 8 1 1b 1 1f 1 " +
  "1 3 2 2 5 2 1 1 16 2 8 1 6m 1 2 1 4 1 fn4 1 kh g g g r1 1 6a 1 45 5 1ae 3 1 2 5 4 14 3 4 1 4l 2 10a 1 1i f " +
  "1k 3 1d 4 2 2 1x 3 10 5 1 1 2 5 1q 1 c 2 1g 9 b 3 2q 3 2 1 1 2 4n 1 3 8 l 2 1m 1 3 1 11 7 3 5 8u 6 1 1 4 2 1 " +
  "2 6m 4 6 2 1 2 r 2 2d 8 2 1 1 2 2y 1 1 1 2 6 1 1 2t 3 2 4 1 5 gjo 5 1n 7 uw 4 f7u 2 43s 3 h 8 2 7 u 4 44 3 " +
  "1iz 1j 4 1e 8 1 e 1 m 5 1 f 2sg 7 gzl5 6o";

/** Characters that newer versions of Unicode decompose and the library does not. */
export const COMPOSED: string = "1fpl 1 q 1 2ou 1 1 1 8 1 2 1 1f 1 1 2 12n 1 e7c 8 2f3 3";

/** Runs by canonical combining class, for the classes other than 0. */
export const COMBINING: readonly (readonly [combiningClass: number, runs: string])[] = [
  [1, "ms 5 523 1 d 7 rt 2 4 3 a 2 3 2 1a31 1 j3q 5 g4p 1 43s 3"],
  [
    7,
    "1to 1 3j 1 3j 1 3j 1 3j 1 an 1 oq 1 264 1 4x 1 28 1 ry3 1 kcm 1 54 1 2e 1 2z 1 4y 1 2a 1 7d 1 3g 1 70 1 6u 1 " +
      "15le 1",
  ],
  [8, "9ll 2"],
  [
    9,
    "1u5 1 3j 1 3j 1 3j 1 3j 1 3j 1 3j 1 3j 1 3j 1 3g 1 33 1 95 1 50 2 1cp 1 v 1 4d 1 i5 1 6b 1 2t 2 1y 2 3gr 1 " +
      "o7a 1 59 1 3y 1 30 1 8l 1 6u 1 imp 1 16u 1 1k 1 1l 1 3d 2 3v 1 38 1 50 1 2q 1 6s 1 3j 1 70 1 3j 1 3a 1 38 1 " +
      "103 1",
  ],
  [10, "14g 1"],
  [11, "14h 1"],
  [12, "14i 1"],
  [13, "14j 1"],
  [14, "14k 1"],
  [15, "14l 1"],
  [16, "14m 1"],
  [17, "14n 1"],
  [18, "14o 1 e 1"],
  [19, "14p 2"],
  [20, "14r 1"],
  [21, "14s 1"],
  [22, "14t 1"],
  [23, "14v 1"],
  [24, "14x 1"],
  [25, "14y 1"],
  [26, "1dlq 1"],
  [27, "18r 1 is 1"],
  [28, "18s 1 is 1"],
  [29, "18t 1 is 1"],
  [30, "17c 1 1h 1"],
  [31, "17d 1 1h 1"],
  [32, "17e 1 1h 1"],
  [33, "18x 1"],
  [34, "18y 1"],
  [35, "19s 1"],
  [36, "1e9 1"],
  [84, "2fp 1"],
  [91, "2fq 1"],
  [103, "2t4 2"],
  [107, "2tk 4"],
  [118, "2wo 2"],
  [122, "2x4 4"],
  [129, "31t 1"],
  [130, "31u 1 7 4 2 1"],
  [132, "31w 1"],
  [202, "m9 2 4 2 59j 1"],
  [214, "5vy 1"],
  [216, "m3 1 2e5 1 2gx7 2 7 5"],
  [218, "9ii 1"],
  [
    220,
    "ly 4 2 5 2 4 2 b 5 4 a 3 3 2 4 4 2 2 fq 1 4 1 4 1 6 6 2 1 q 1 3z 2 5 1 2 1 3n 1 6 1 2 1 1v 1 2 1 2 3 1 2 1 1 " +
      "3 1 1 1 1 1 1 1 4p 1 2u 3 3r 1 2 1 2 1 3 3 6 1 2 2 2f 1 151 2 r 1 1 1 3y 1 5i 1 1pp 1 64 1 2u 1 1h 6 2 1 4u " +
      "1 a0 5 2 4 d 1 5w 1 7 1 4 1 19 1 1 1 ko 1 3 4 qwr 3 au 1 ghe 7 r3 1 6a 1 1f0 1 18 1 4r 1 1384 8 7 2 4lg 7",
  ],
  [222, "13u 1 i 1 3uz 1 4j7 1"],
  [224, "9im 2"],
  [226, "2jxp 1"],
  [228, "14e 1 3qy 1 4n5 1"],
  [
    230,
    "lc l 14 3 2 1 3 1 3 3 3 3 4 1 3 1 7 d 7n 5 7e 4 1 3 2 6 6 2 1 2 2 1 k 1 23 8 1n 2 2 5 1 2 3b 7 2 4 1 1 2 2 2 " +
      "2 1v 1 1 2 1 2 3 1 2 1 1 3 1 1 1 1 1 1 1 2 4g 7 1 1 y 4 1 9 1 3 1 5 4m e 2 2 1 2 1 3 6 3 1 2 2 5 29 1 1 2 " +
      "17x 2 2 2 r9 3 vx 1 9o 1 64 1 2l 8 1f 5 6 2 4u 1 1 7 9o 3 7 2 4 1 j 1 3 2 5i 2 1 7 1 2 4 11 5 1 2 1 k1 2 2 4 " +
      "3 2 4 1 5 1 1 1 6 1 2da 3 6m w nsf 1 4 a w 2 28 2 dq i ce 1 1 2 3 2 5 2 1 1 ggu 7 7 2 11i 5 1as 1 14 1 4s 1 " +
      "17e 3 gz 7 3 5 hbv 7 k7i 5 w 4 44 3 2pn 7 1 h 2 7 1 2 1 5 1sp 6",
  ],
  [232, "lx 1 4 1 1p 1 8ur 1"],
  [233, "nw 1 2 1 2 1 595 1"],
  [234, "nx 2 1 2 57v 1"],
  [240, "n9 1"],
];
