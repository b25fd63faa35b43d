"use strict";

setTheme();
Promise.all([...document.querySelectorAll("script[type='text/plain']")].map((element) => unpack(element.textContent)))
  .then((snapshots) => showPage(snapshots, null))
  .catch((error) => sayInstead(`This browser cannot show the page: ${error.message}`));
