// What the build takes for `pg`: of that library the program uses the client alone, and not the pool around it.
import Client from 'pg/lib/client.js';

export default { Client };
