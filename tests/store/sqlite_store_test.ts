import { sqliteStores } from "../../lib/store/sqlite_store.ts";
import { storeContract } from "../support/store_contract.ts";
import { byHand, temporaryFolder } from "./sqlite_support.ts";

storeContract("sqlite", () => {
  const folder = temporaryFolder();
  const path = `${folder.path}/state/locks.db`;
  const stores = sqliteStores(path);
  return Promise.resolve({
    stores,
    close() {
      stores.close();
      folder[Symbol.dispose]();
      return Promise.resolve();
    },
    deleteRecord(object: string) {
      byHand(path, (database) => {
        database.exec("BEGIN IMMEDIATE");
        database.prepare("DELETE FROM records WHERE object = ?").run(object);
        database.exec("UPDATE meta SET revision = revision + 1");
        database.exec("COMMIT");
      });
      return Promise.resolve();
    },
  });
});
