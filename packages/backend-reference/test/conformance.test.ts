import { testBackend } from "@cloze/backend-conformance";
import { backend } from "../src/index.ts";

testBackend({ name: "reference", create: () => backend() });
