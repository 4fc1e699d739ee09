import { STYLESHEET } from '../pages/stylesheet.ts';
import type { Routes } from '../services.ts';

/** `GET /style.css`: how the pages look. */
export const styleRoutes: Routes = (app) => {
  app.get('/style.css', (_request, reply) =>
    reply
      .headers({ 'cache-control': 'public, max-age=300', 'x-content-type-options': 'nosniff' })
      .type('text/css; charset=utf-8')
      .send(STYLESHEET),
  );
};
