/**
 * The published alphabets, with their exact ids and the policies of their own tools.
 *
 * ESM-2     Lin et al. 2023; vocab.txt of facebook/esm2_t6_8M_UR50D. `.` and `-` are tokens (gaps of alignments), and
 *           so are X B U Z O.
 * ProtBert  Elnaggar et al. 2021; vocab.txt of Rostlab/prot_bert. The vocabulary has U Z O B, but the training data had
 *           X in their place. The model card asks users to do the same, and `replace` does it here.
 * AMPLIFY   Fournier et al. 2024; conf/tokenizer/amplify_vocab.txt of chandar-lab/AMPLIFY. The vocabulary lacks X, U, Z
 *           and O: its own tokenizer gives `<unk>` for them, and so does ours. `|` separates chains; B is a token.
 */
import type { ProteinAlphabet } from "./alphabet.ts";
import { DEFAULT_POLICY } from "./alphabet.ts";

export const ESM2: ProteinAlphabet = {
  name: "esm2",
  vocabulary: ["<cls>", "<pad>", "<eos>", "<unk>", ..."LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"],
  special: { unk_token: "<unk>", pad_token: "<pad>", mask_token: "<mask>", cls_token: "<cls>", eos_token: "<eos>" },
  template: { single: "<cls> $A <eos>", pair: "<cls> $A <eos> $B:1 <eos>:1" },
  policy: DEFAULT_POLICY,
  separator: " ",
  modelInputNames: ["input_ids", "attention_mask"],
};

export const PROTBERT: ProteinAlphabet = {
  name: "protbert",
  vocabulary: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."LAGVESIKRDTPNQFYMHCWXUBZO"],
  special: { unk_token: "[UNK]", pad_token: "[PAD]", mask_token: "[MASK]", cls_token: "[CLS]", sep_token: "[SEP]" },
  template: { single: "[CLS] $A [SEP]", pair: "[CLS] $A [SEP] $B:1 [SEP]:1" },
  policy: { ...DEFAULT_POLICY, replace: { U: "X", Z: "X", O: "X", B: "X" } },
  separator: " ",
  modelInputNames: ["input_ids", "token_type_ids", "attention_mask"],
};

export const AMPLIFY: ProteinAlphabet = {
  name: "amplify",
  vocabulary: ["<pad>", "<unk>", "<mask>", "<bos>", "<eos>", ..."|LAGVSERTIDPKQNFYMHWCB"],
  special: { unk_token: "<unk>", pad_token: "<pad>", mask_token: "<mask>", bos_token: "<bos>", eos_token: "<eos>" },
  template: { single: "<bos> $A <eos>", pair: "<bos> $A <eos> $B:1 <eos>:1" },
  policy: DEFAULT_POLICY,
  separator: " ",
  modelInputNames: ["input_ids", "attention_mask"],
};

export const ALPHABETS: readonly ProteinAlphabet[] = [ESM2, PROTBERT, AMPLIFY];
