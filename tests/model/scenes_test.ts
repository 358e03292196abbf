import { testScene } from "./gate.ts";

testScene("one tries once", 1, "pause");
testScene("one waits 4 s", 1, "pause");
testScene("a reader and a writer", 1, "pause");
testScene("room for two", 1, "pause");
testScene("one goes before", 1, "pause");
